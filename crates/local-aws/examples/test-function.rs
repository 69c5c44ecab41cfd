//! A Lambda function for the tests of `local_aws::lambda`: does what its event's `mode` says.
//!
//! It is an example and not a binary so that the crate itself does not depend on `lambda_runtime`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::var("TEST_INIT").as_deref() == Ok("fail") {
        return Err("the configuration is wrong".into());
    }
    // An observable sign of life for the test of freezing.
    if let Ok(path) = std::env::var("TEST_HEARTBEAT") {
        std::thread::spawn(move || {
            for beat in 0_u64.. {
                let _ = std::fs::write(&path, beat.to_string());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let mode = event.payload.get("mode").and_then(Value::as_str).unwrap_or("echo");
    match mode {
        "error" => Err("this event is refused".into()),
        #[allow(clippy::panic)]
        "panic" => panic!("this event is too much"),
        "hang" => std::future::pending().await,
        "crash" => {
            let mut stderr = std::io::stderr();
            let _ = std::io::Write::write_all(&mut stderr, b"the end is near\n");
            std::process::exit(3)
        }
        "environment" => Ok(std::env::vars().map(|(name, value)| (name, Value::from(value))).collect()),
        "large" => Ok(Value::from("x".repeat(7 * 1024 * 1024))),
        _ => {
            let mut stdout = std::io::stdout();
            let _ = std::io::Write::write_all(&mut stdout, b"echoing\n");
            Ok(json!({
                "event": event.payload,
                "request_id": event.context.request_id,
                "arn": event.context.invoked_function_arn,
                "deadline": event.context.deadline,
                "pid": std::process::id(),
            }))
        }
    }
}

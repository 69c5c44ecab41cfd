//! The listener itself.

use local_aws::gateway::{Gateway, GatewayConfig, GatewayError};
use local_aws::lambda::{Lambda, LambdaConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stack::Stack;

#[tokio::test]
async fn a_busy_port_is_told_by_its_number_and_the_folder_is_left_alone() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stack = Stack::start(first.path()).await;
    let mut config = GatewayConfig::new(second.path().to_owned());
    config.port = stack.gateway.address().port();
    let error = Gateway::start(config).await.err().unwrap();
    assert!(matches!(error, GatewayError::PortInUse { port } if port == stack.gateway.address().port()), "{error:?}");
    assert_eq!(error.to_string(), format!("port {} on 127.0.0.1 is in use", stack.gateway.address().port()));
    assert_eq!(std::fs::read_dir(second.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_unusable_data_folder_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Gateway::start(GatewayConfig::new(file.clone())).await.err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(file.to_str().unwrap()), "{cause}");
}

#[tokio::test]
async fn the_port_is_free_again_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let port = stack.gateway.address().port();
    stack.gateway.stop().await;
    let again = Stack::start_with(folder.path(), |config| config.port = port).await;
    assert_eq!(again.gateway.endpoint_url(), format!("http://127.0.0.1:{port}"));
}

#[tokio::test]
async fn what_is_not_served_is_refused_in_the_protocols_own_shape() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    for (target, kind) in
        [("AWSGlue.CreateTrigger", "UnknownOperationException"), ("DynamoDB_20120810.PutItem", "UnknownOperationException")]
    {
        let answer = post(&stack, target, "{}").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(&format!("\"__type\":\"{kind}\"")), "{answer}");
    }
    let answer = post(&stack, "AmazonAthena.StartQueryExecution", "not json").await;
    assert!(answer.contains("SerializationException"), "{answer}");
}

#[tokio::test]
async fn functions_are_invoked_at_the_same_address() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Anobody/invocations";
    let before = send(&stack, path, "", "{}").await;
    assert!(
        before.starts_with("HTTP/1.1 ") && !before.contains("ResourceNotFoundException"),
        "S3's answer, where there is no Lambda: {before}"
    );
    let lambda = Lambda::start(LambdaConfig { port: 0, logs: folder.path().join("logs") }).await.unwrap();
    stack.gateway.serve_functions(&lambda);
    let answer = send(&stack, path, "", "{}").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("Function not found: nobody"), "{answer}");
    lambda.stop().await;
}

async fn post(stack: &Stack, target: &str, body: &str) -> String {
    send(stack, "/", &format!("X-Amz-Target: {target}\r\n"), body).await
}

async fn send(stack: &Stack, path: &str, header: &str, body: &str) -> String {
    let mut connection = tokio::net::TcpStream::connect(stack.gateway.address()).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: local\r\n{header}Content-Type: application/x-amz-json-1.1\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

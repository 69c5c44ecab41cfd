//! A Glue for tests: it answers the real SDK over HTTP from a script.
//!
//! Not `aws-smithy-mocks`, whose feature `test-util` compiles the whole SDK a second time for tests, and which does not
//! exercise how an error travels through the protocol.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What Glue answers to one call.
pub(crate) enum Answer {
    /// A status and a body.
    Reply(u16, Value),
    /// Nothing: the connection closes.
    Gone,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Reply(200, body)
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Reply(status, json!({"__type": code, "Message": "as the script says"}))
    }
}

#[derive(Default)]
struct Script {
    expected: VecDeque<(&'static str, Answer)>,
    asked: Vec<(String, Value)>,
}

/// Listens until it is dropped.
pub(crate) struct GlueStub {
    address: String,
    script: Arc<Mutex<Script>>,
    server: tokio::task::JoinHandle<()>,
}

impl GlueStub {
    /// Answers the named operations in this order; anything else gets an error that no test expects.
    pub(crate) async fn start(expected: Vec<(&'static str, Answer)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script { expected: expected.into(), asked: Vec::new() }));
        let serving = script.clone();
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                serve(connection, &serving).await;
            }
        });
        Self { address, script, server }
    }

    /// A client of this Glue, without retries.
    pub(crate) fn client(&self) -> aws_sdk_glue::Client {
        let config = aws_sdk_glue::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(&self.address)
            .retry_config(RetryConfig::disabled())
            .build();
        aws_sdk_glue::Client::from_conf(config)
    }

    /// The body of the last call of `operation`.
    pub(crate) fn asked(&self, operation: &str) -> Value {
        let script = self.script.lock().unwrap();
        let call = script.asked.iter().rev().find(|(name, _)| name == operation);
        call.unwrap_or_else(|| panic!("{operation} was not called")).1.clone()
    }

    /// Fails unless exactly the script's calls were made.
    pub(crate) fn assert_all_asked(&self) {
        let script = self.script.lock().unwrap();
        let asked: Vec<&str> = script.asked.iter().map(|(name, _)| name.as_str()).collect();
        let left: Vec<&str> = script.expected.iter().map(|(name, _)| *name).collect();
        assert!(left.is_empty() && !asked.contains(&"unexpected"), "asked {asked:?}, not asked {left:?}");
    }
}

impl Drop for GlueStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request and closes the connection.
async fn serve(connection: TcpStream, script: &Mutex<Script>) {
    let mut connection = BufReader::new(connection);
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("x-amz-target") {
            operation = value.trim_start_matches("AWSGlue.").to_owned();
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.unwrap();

    let answer = {
        let mut script = script.lock().unwrap();
        let expected = script.expected.front().is_some_and(|(name, _)| *name == operation);
        script.asked.push((if expected { operation } else { "unexpected".into() }, serde_json::from_slice(&body).unwrap()));
        if expected { script.expected.pop_front().map(|(_, answer)| answer) } else { None }
    };
    let (status, body) = match answer {
        Some(Answer::Reply(status, body)) => (status, body.to_string()),
        // Closing without an answer is what a client sees of a Glue that went away.
        Some(Answer::Gone) => return,
        None => (400, json!({"__type": "UnexpectedCall"}).to_string()),
    };
    let response = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.get_mut().write_all(response.as_bytes()).await.unwrap();
}

//! Glue, SQS and S3 for tests: they answer the real SDKs over HTTP from one script.
//!
//! Not `aws-smithy-mocks`, whose feature `test-util` compiles the whole SDK a second time for tests, and which does not
//! exercise how an error travels through the protocol.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_glue::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::handler::Clients;

/// What a service answers to one call.
pub(crate) enum Answer {
    /// A status and a body in JSON.
    Reply(u16, String),
    /// S3's status and body, with an ETag.
    S3(u16, String),
    /// Nothing: the connection closes.
    Gone,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Reply(200, body.to_string())
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Reply(status, json!({"__type": code, "Message": "as the script says"}).to_string())
    }

    /// An error in the form of S3.
    pub(crate) fn s3_error(status: u16, code: &str) -> Self {
        Self::S3(status, format!("<Error><Code>{code}</Code><Message>as the script says</Message></Error>"))
    }
}

/// What stands before an operation that was not in the script.
const UNEXPECTED: &str = "unexpected:";

#[derive(Default)]
struct Script {
    expected: VecDeque<(&'static str, Answer)>,
    asked: Vec<(String, Value)>,
}

/// Listens until it is dropped.
pub(crate) struct Stub {
    address: String,
    script: Arc<Mutex<Script>>,
    server: tokio::task::JoinHandle<()>,
}

impl Stub {
    /// Answers the named operations in this order; anything else gets an error that no test expects. S3 names an operation by
    /// its method and path.
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

    /// Clients of these services that try each call this often.
    pub(crate) fn clients(&self, tries: u32) -> Clients {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.address)
            .retry_config(RetryConfig::standard().with_max_attempts(tries).with_initial_backoff(Duration::from_millis(1)))
            .build();
        Clients { glue: aws_sdk_glue::Client::new(&aws), s3: aws_sdk_s3::Client::new(&aws), sqs: aws_sdk_sqs::Client::new(&aws) }
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
        let unexpected = asked.iter().any(|asked| asked.starts_with(UNEXPECTED));
        assert!(left.is_empty() && !unexpected, "asked {asked:?}, not asked {left:?}");
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request and closes the connection.
async fn serve(connection: TcpStream, script: &Mutex<Script>) {
    let mut connection = BufReader::new(connection);
    let (mut operation, mut length) = (String::new(), 0);
    connection.read_line(&mut operation).await.unwrap();
    if let Some((request, _)) = operation.split_once(['?', '\r']) {
        operation = request.trim_end_matches(" HTTP/1.1").to_owned();
    }
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
            operation = value.trim_start_matches("AWSGlue.").trim_start_matches("AmazonSQS.").to_owned();
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.unwrap();

    let answer = {
        let mut script = script.lock().unwrap();
        let expected = script.expected.front().is_some_and(|(name, _)| *name == operation);
        let named = if expected { operation } else { format!("{UNEXPECTED} {operation}") };
        script.asked.push((named, serde_json::from_slice(&body).unwrap_or_default()));
        if expected { script.expected.pop_front().map(|(_, answer)| answer) } else { None }
    };
    let (status, headers, body) = match answer {
        Some(Answer::Reply(status, body)) => (status, "content-type: application/x-amz-json-1.1", body),
        Some(Answer::S3(status, body)) => (status, "etag: \"1\"", body),
        // Closing without an answer is what a client sees of a service that went away.
        Some(Answer::Gone) => return,
        None => (400, "content-type: application/x-amz-json-1.1", json!({"__type": "UnexpectedCall"}).to_string()),
    };
    let response = format!("HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    connection.get_mut().write_all(response.as_bytes()).await.unwrap();
}

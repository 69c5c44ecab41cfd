//! An Athena and an S3 for tests: they answer the real SDKs over HTTP from a script.
//!
//! What the local Athena cannot be brought to do stands here: a queue after running, throttling, a query that never ends,
//! Athena's reasons for failing.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_sdk_athena::config::retry::RetryConfig;
use aws_sdk_athena::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is answered to one call: a status and a body.
pub(crate) type Answer = (u16, String);

/// Athena's success.
pub(crate) fn ok(body: Value) -> Answer {
    (200, body.to_string())
}

/// Athena's error.
pub(crate) fn error(status: u16, code: &str) -> Answer {
    (status, json!({"__type": code, "Message": "as the script says"}).to_string())
}

#[derive(Default)]
struct Script {
    /// For each operation its answers in order; the last one is given again and again.
    answers: BTreeMap<&'static str, VecDeque<Answer>>,
    asked: Vec<(String, Value)>,
}

/// Listens until it is dropped.
pub(crate) struct AwsStub {
    address: String,
    script: Arc<Mutex<Script>>,
    server: tokio::task::JoinHandle<()>,
}

impl AwsStub {
    /// Answers the named operations; anything else gets an error that no test expects. S3's operation is `ListObjectsV2`.
    pub(crate) async fn start(answers: Vec<(&'static str, Vec<Answer>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers.into_iter().map(|(operation, answers)| (operation, answers.into())).collect();
        let script = Arc::new(Mutex::new(Script { answers, asked: Vec::new() }));
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, script, server }
    }

    /// A client of this Athena, without retries.
    pub(crate) fn athena(&self) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(&self.config())
    }

    /// A client of this S3, without retries.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    fn config(&self) -> aws_config::SdkConfig {
        aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .endpoint_url(&self.address)
            .retry_config(RetryConfig::disabled())
            .build()
    }

    /// The bodies of all calls of `operation`.
    pub(crate) fn asked(&self, operation: &str) -> Vec<Value> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|(name, _)| name == operation).map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for AwsStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = match target {
        Some(target) => target.trim_start_matches("AmazonAthena.").to_owned(),
        None if request.uri().query().is_some_and(|query| query.contains("list-type=2")) => "ListObjectsV2".to_owned(),
        None => "unexpected".to_owned(),
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let asked = if body.is_empty() { Value::String(query) } else { serde_json::from_slice(&body).unwrap() };
    let mut script = script.lock().unwrap();
    let answer = script
        .answers
        .get_mut(operation.as_str())
        .and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
    script.asked.push((operation, asked));
    let (status, body) = answer.unwrap_or_else(|| error(400, "UnexpectedCall"));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

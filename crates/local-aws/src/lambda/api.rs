//! The Runtime API (version 2018-06-01), as a function's process sees it.

use super::PAYLOAD_LIMIT;
use super::mailbox::{Mailbox, Message, Registry};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Bodies above Lambda's limit are read up to here, so that the function gets an answer instead of a broken connection.
const READ_LIMIT: usize = 64 * 1024 * 1024;

pub(super) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/{function}/{environment}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{function}/{environment}/2018-06-01/runtime/invocation/{request}/response", post(response))
        .route("/{function}/{environment}/2018-06-01/runtime/invocation/{request}/error", post(error))
        .route("/{function}/{environment}/2018-06-01/runtime/init/error", post(init_error))
        .with_state(registry)
}

type RequestPath = Path<(String, String, String)>;

/// Holds the request until there is an event. Never answers 204, which `lambda_runtime` takes for an event.
async fn next(State(registry): State<Registry>, Path((_, environment)): Path<(String, String)>) -> Response {
    let Some(mailbox) = registry.find(&environment) else { return gone() };
    // Taken before telling that the process waits: the answer may come at once.
    let mut jobs = mailbox.jobs.lock().await;
    if mailbox.messages.send(Message::Next).is_err() {
        return gone();
    }
    let Some(job) = jobs.recv().await else { return gone() };
    let deadline = job.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("lambda-runtime-aws-request-id", job.request_id.clone()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", job.function_arn),
        ("lambda-runtime-trace-id", trace_id(&job.request_id)),
        ("content-type", "application/json".to_owned()),
    ];
    (headers.map(|(name, value)| (HeaderName::from_static(name), value)), job.payload).into_response()
}

async fn response(State(registry): State<Registry>, Path((_, environment, request_id)): RequestPath, body: Body) -> Response {
    let Some(mailbox) = registry.find(&environment) else { return gone() };
    match to_bytes(body, READ_LIMIT).await {
        Ok(payload) if payload.len() <= PAYLOAD_LIMIT => tell(&mailbox, Message::Response { request_id, payload }),
        Ok(payload) => {
            tell(&mailbox, Message::ResponseTooLarge { request_id, bytes: payload.len() });
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
        Err(_) => {
            tell(&mailbox, Message::ResponseTooLarge { request_id, bytes: READ_LIMIT });
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
    }
}

async fn error(
    State(registry): State<Registry>,
    Path((_, environment, request_id)): RequestPath,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(mailbox) = registry.find(&environment) else { return gone() };
    let Diagnostic { error_type, error_message } = Diagnostic::read(&headers, body).await;
    tell(&mailbox, Message::Error { request_id, error_type, error_message })
}

async fn init_error(
    State(registry): State<Registry>,
    Path((_, environment)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(mailbox) = registry.find(&environment) else { return gone() };
    let Diagnostic { error_type, error_message } = Diagnostic::read(&headers, body).await;
    tell(&mailbox, Message::InitError { error_type, error_message })
}

fn tell(mailbox: &Arc<Mailbox>, message: Message) -> Response {
    match mailbox.messages.send(message) {
        Ok(()) => (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response(),
        Err(_) => gone(),
    }
}

/// What Lambda answers to a process that it has given up.
fn gone() -> Response {
    StatusCode::GONE.into_response()
}

/// An error as functions report it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Diagnostic {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

impl Diagnostic {
    /// A body of another form is an error, too: it is told as it is.
    async fn read(headers: &HeaderMap, body: Body) -> Self {
        let bytes = to_bytes(body, READ_LIMIT).await.unwrap_or_default();
        let mut diagnostic = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Self { error_type: String::new(), error_message: String::from_utf8_lossy(&bytes).into_owned() });
        if diagnostic.error_type.is_empty() {
            let header = headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
            diagnostic.error_type = header.unwrap_or("Unknown").to_owned();
        }
        diagnostic
    }
}

/// An X-Ray trace id of the right form. Nothing is traced: the sampled flag is 0.
fn trace_id(request_id: &str) -> String {
    let hex: String = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    let (time, rest) = hex.split_at_checked(8).unwrap_or(("00000000", &hex));
    format!("Root=1-{time}-{rest:0<24};Sampled=0")
}

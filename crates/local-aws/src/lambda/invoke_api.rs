//! Lambda's public Invoke API, version 2015-03-31.

use super::PAYLOAD_LIMIT;
use super::error::InvokeError;
use super::function::Function;
use super::invocation::Outcome;
use super::service::Functions;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use std::sync::PoisonError;

pub(super) fn router(functions: Functions) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        // One byte more than is allowed still gets in, so that the answer is Lambda's own.
        .layer(DefaultBodyLimit::max(PAYLOAD_LIMIT.saturating_mul(2)))
        .with_state(functions)
}

/// The function that a request's path asks to invoke, as it stands there: a name or an ARN, percent-encoded.
pub(crate) fn function_of(path: &str) -> Option<&str> {
    path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations").filter(|name| !name.contains('/'))
}

/// Answers one request of the API.
pub(crate) async fn invoke(State(functions): State<Functions>, Path(name): Path<String>, headers: HeaderMap, payload: Bytes) -> Response {
    let name = plain_name(&name);
    let found = functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    let Some(function) = found else {
        let message = format!("Function not found: {name}");
        return failure(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
    };
    // Lambda takes an empty body for an empty event.
    let payload = if payload.is_empty() { Bytes::from_static(b"{}") } else { payload };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
        let message = "Could not parse request body into json";
        return failure(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    }
    match headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok()).unwrap_or("RequestResponse") {
        "RequestResponse" => synchronous(&function, payload).await,
        "Event" => {
            tokio::spawn(async move {
                if let Err(error) = function.invoke(payload).await {
                    tracing::error!(function = function.name(), error = %error, "An asynchronous invocation failed.");
                }
            });
            StatusCode::ACCEPTED.into_response()
        }
        "DryRun" => StatusCode::NO_CONTENT.into_response(),
        other => {
            let message = format!("{other} is not an invocation type");
            failure(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &message)
        }
    }
}

async fn synchronous(function: &Function, payload: Bytes) -> Response {
    let invocation = match function.invoke(payload).await {
        Ok(invocation) => invocation,
        Err(error @ InvokeError::PayloadTooLarge { .. }) => {
            return failure(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &error.to_string());
        }
        Err(error @ InvokeError::Spawn { .. }) => {
            return failure(StatusCode::BAD_GATEWAY, "InvalidRuntimeException", &error.to_string());
        }
        Err(error @ InvokeError::Stopped { .. }) => {
            return failure(StatusCode::CONFLICT, "ResourceConflictException", &error.to_string());
        }
    };
    let error = invocation.outcome.error();
    let body = match (invocation.outcome, &error) {
        (Outcome::Success(payload), _) => payload,
        (_, Some((error_type, message))) => Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string()),
        (_, None) => Bytes::new(),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if let Ok(request_id) = HeaderValue::from_str(&invocation.request_id) {
        headers.insert("x-amzn-requestid", request_id);
    }
    if error.is_some() {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    response
}

/// The service's own errors, which are not the function's.
fn failure(status: StatusCode, error_type: &'static str, message: &str) -> Response {
    let body = json!({ "Type": "User", "Message": message, "message": message }).to_string();
    let headers = [("content-type", "application/json"), ("x-amzn-errortype", error_type)];
    (status, headers.map(|(name, value)| (HeaderName::from_static(name), value)), body).into_response()
}

/// A name, an ARN, a partial ARN (`account:function:name`) or either with a qualifier.
fn plain_name(name: &str) -> &str {
    let after = match name.split_once("function:") {
        Some((_, after)) => after,
        None => name,
    };
    after.split(':').next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn functions_are_found_by_name_and_arn() {
        for name in [
            "fetch-quotes",
            "fetch-quotes:$LATEST",
            "000000000000:function:fetch-quotes",
            "arn:aws:lambda:us-east-1:000000000000:function:fetch-quotes",
            "arn:aws:lambda:us-east-1:000000000000:function:fetch-quotes:prod",
        ] {
            assert_eq!(plain_name(name), "fetch-quotes", "{name}");
        }
    }
}

//! Connections, and which service a request is for.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Path, State};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use percent_encoding::percent_decode_str;
use s3s::Body;
use s3s::service::S3Service;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::athena::Athena;
use crate::glue::Glue;
use crate::lambda::{self, Functions};
use crate::protocol::{ApiError, ApiResult};
use crate::s3::faults::Faults;
use crate::sqs::{self, Sqs};

/// The largest JSON request: Athena's longest query, escaped, with room to spare.
const MAX_JSON_BODY: usize = 4 << 20;

const JSON_1_1: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// What stands behind the listener.
#[derive(Clone)]
pub(super) struct Services {
    pub(super) s3: S3Service,
    pub(super) faults: Faults,
    pub(super) glue: Glue,
    pub(super) athena: Athena,
    pub(super) sqs: Sqs,
    /// The functions, once there is a Lambda.
    pub(super) functions: Arc<OnceLock<Functions>>,
}

/// Serves until told to stop, then for at most `grace` what is under way.
pub(super) async fn serve(listener: TcpListener, services: Services, stopping: CancellationToken, grace: Duration) {
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Most often: too many open files. The connections under way give theirs back.
                    tracing::warn!(%error, "A connection could not be accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stopping.cancelled() => break,
        };
        let served = connections.watch(connection(stream, services.clone()));
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::debug!(%error, "A connection ended early.");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::debug!("Connections were still open at the end of the grace.");
    }
}

fn connection(stream: TcpStream, services: Services) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "A connection keeps Nagle's delay.");
    }
    let service = service_fn(move |request| {
        let services = services.clone();
        async move { services.answer(request).await }
    });
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service)
}

impl Services {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, s3s::HttpError> {
        let target = request.headers().get(&TARGET).map(|target| String::from_utf8_lossy(target.as_bytes()).into_owned());
        match target {
            None if self.functions.get().is_some() && lambda::function_of(request.uri().path()).is_some() => self.invoke(request).await,
            None => self.faults.call(&self.s3, request).await,
            Some(target) => {
                let Ok(response) = self.answer_json(&target, request).await;
                Ok(response)
            }
        }
    }

    /// Lambda's Invoke.
    async fn invoke(&self, request: Request<Incoming>) -> Result<Response<Body>, s3s::HttpError> {
        let (head, body) = request.into_parts();
        let name = lambda::function_of(head.uri.path()).map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned());
        // One byte more than is allowed still gets in, so that the answer is Lambda's own.
        let body = Body::from(body).store_all_limited(lambda::PAYLOAD_LIMIT.saturating_mul(2)).await.map_err(s3s::HttpError::new)?;
        let functions = State(self.functions.get().cloned().unwrap_or_default());
        let (head, body) = lambda::invoke(functions, Path(name.unwrap_or_default()), head.headers, body).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| s3s::HttpError::new(error.into()))?;
        Ok(Response::from_parts(head, Body::from(body)))
    }

    async fn answer_json(&self, target: &str, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let answer = match Body::from(request.into_body()).store_all_limited(MAX_JSON_BODY).await {
            Ok(body) => self.dispatch(target, &body).await,
            Err(error) => Err(ApiError::new("SerializationException", format!("The request could not be read: {error}."))),
        };
        if let Err(error) = &answer {
            tracing::debug!(target, %error, "A request was refused.");
        }
        Ok(response(answer))
    }

    async fn dispatch(&self, target: &str, body: &[u8]) -> ApiResult {
        match target.split_once('.') {
            Some(("AWSGlue", operation)) => self.glue.call(operation, body).await,
            Some(("AmazonSQS", operation)) => self.sqs.call(operation, body).await,
            Some(("AmazonAthena", operation)) => self.athena.call(operation, body),
            _ => Err(ApiError::new("UnknownOperationException", format!("{target} is not served by the local stack."))),
        }
    }
}

fn response(answer: ApiResult) -> Response<Body> {
    let (status, body, error_type) = match &answer {
        Ok(value) => (200, value.to_string(), None),
        Err(error) => (error.status(), error.body().to_string(), HeaderValue::from_str(error.kind()).ok()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON_1_1);
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(kind) = error_type {
        headers.insert(ERROR_TYPE, kind);
    }
    if let Some(code) = answer.as_ref().err().and_then(|error| sqs::query_code(error.kind())) {
        headers.insert(QUERY_ERROR, HeaderValue::from_static(code));
    }
    response
}

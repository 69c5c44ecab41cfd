//! A request that meets its fault.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpError};

use super::armed::{Gate, Rule};
use super::failure::{Failure, Fault, alter, cut, refusal};

/// Larger than any object that tests write in one request.
const MAX_BODY: usize = 256 << 20;

type Answer = Result<Response<Body>, HttpError>;

/// Carries a request out as its fault has it. All of it was received by then, so that it can take effect after its sender's
/// death, as a request on its way through the network and S3 can.
pub(super) async fn with(rule: Arc<Rule>, s3: S3Service, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let body = Body::from(body).store_all_limited(MAX_BODY).await.map_err(HttpError::new)?;
    let request = Request::from_parts(head, Body::from(body));
    let carried_out = tokio::spawn(async move {
        let answer = carry_out(&rule, &s3, request).await;
        rule.finished();
        answer
    });
    carried_out.await.unwrap_or_else(|error| Err(HttpError::new(error.into())))
}

async fn carry_out(rule: &Rule, s3: &S3Service, request: Request<Body>) -> Answer {
    match rule.fault {
        Fault::Before(failure) => {
            rule.reached();
            match fail(rule, failure).await {
                Some(answer) => answer,
                None => s3.call(request).await,
            }
        }
        Fault::After(failure) => {
            let answer = s3.call(request).await;
            rule.reached();
            fail(rule, failure).await.unwrap_or(answer)
        }
        Fault::Altered(how) => {
            let answer = s3.call(request).await;
            rule.reached();
            alter(answer?, how).await
        }
    }
}

/// The answer of a failure; `None` where all goes on as if nothing had been.
async fn fail(rule: &Rule, failure: Failure) -> Option<Answer> {
    match failure {
        Failure::Refused { status, code } => {
            Some(Ok(refusal(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code)))
        }
        Failure::ErrorInSuccess => Some(Ok(refusal(StatusCode::OK, "InternalError"))),
        Failure::Cut => Some(Err(cut())),
        Failure::Held => match rule.gate().await {
            Gate::Open => None,
            Gate::Closed | Gate::Abandoned => Some(Err(cut())),
        },
    }
}

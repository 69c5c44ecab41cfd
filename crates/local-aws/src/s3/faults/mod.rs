//! Faults for tests: an S3 that fails, stalls and loses answers exactly where a test wants it to.
//!
//! A test arms a [`Fault`] on the requests that a [`Trigger`] describes. The layer lies in front of the S3 service, where
//! whole HTTP answers are shaped, so that a client meets what it could meet on AWS, down to the connection. Since each
//! durable step of a function is a request to S3, a test can also stop a process exactly there: a request that is *held*
//! tells that it was reached, before or after its effect, and the unmodified binary that sent it can be killed, stopped or
//! overtaken.
//!
//! No cargo feature guards this: a second shape of the build would cost minutes, and where nothing is armed a request
//! passes one look at an empty list.

mod armed;
mod carry_out;
mod failure;
mod trigger;

use std::sync::{Arc, PoisonError, RwLock};

use hyper::body::Incoming;
use hyper::{Request, Response};
use s3s::service::S3Service;
use s3s::{Body, HttpError};

pub use armed::Armed;
pub use failure::{Alteration, Failure, Fault};
pub use trigger::{Operation, Trigger};

use armed::Rule;

/// The faults of one gateway. Clones are the same; a default one has none.
#[derive(Clone, Default)]
pub struct Faults(Arc<RwLock<Vec<Arc<Rule>>>>);

impl Faults {
    /// Sets a fault on what `trigger` describes, until the returned handle is dropped. Of several that match a request,
    /// the one that was armed first meets it.
    pub fn arm(&self, trigger: Trigger, fault: Fault) -> Armed {
        let rule = Arc::new(Rule::new(trigger, fault));
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&rule));
        Armed::new(rule, self.clone())
    }

    /// Answers a request, or does to it what is armed.
    pub(crate) async fn call(&self, s3: &S3Service, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        match self.on(&request) {
            None => s3.call(request.map(Body::from)).await,
            Some(rule) => carry_out::with(rule, s3.clone(), request).await,
        }
    }

    fn on<B>(&self, request: &Request<B>) -> Option<Arc<Rule>> {
        let rules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if rules.is_empty() {
            return None;
        }
        rules.iter().find(|rule| rule.meets(request)).cloned()
    }

    fn disarm(&self, rule: &Arc<Rule>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, rule));
    }
}

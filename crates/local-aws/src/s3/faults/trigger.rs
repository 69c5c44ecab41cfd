//! Which requests a fault is for.

use hyper::{Method, Request};
use percent_encoding::percent_decode_str;

/// An operation on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// GetObject.
    Get,
    /// HeadObject.
    Head,
    /// PutObject.
    Put,
}

/// Requests for objects, in the order in which they come.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The operation.
    pub operation: Operation,
    /// The bucket.
    pub bucket: String,
    /// How the key begins.
    pub key_prefix: String,
    /// How many of them pass first.
    pub after: usize,
    /// How many of them are met then; `usize::MAX` for all.
    pub times: usize,
}

impl Trigger {
    /// Whether a request is of this kind, wherever it stands in the order.
    pub(super) fn describes<B>(&self, request: &Request<B>) -> bool {
        let method = match self.operation {
            Operation::Get => Method::GET,
            Operation::Head => Method::HEAD,
            Operation::Put => Method::PUT,
        };
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let object = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        request.method() == method
            && object.is_some_and(|(bucket, key)| bucket == self.bucket && !key.is_empty() && key.starts_with(&self.key_prefix))
    }
}

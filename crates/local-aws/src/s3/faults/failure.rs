//! What goes wrong, and the answers that say so.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue};
use hyper::{Response, StatusCode};
use s3s::dto::StreamingBlob;
use s3s::{Body, HttpError};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not carried out, and fails.
    Before(Failure),
    /// It is carried out, and then its answer is lost.
    After(Failure),
    /// It is carried out, and its answer arrives altered.
    Altered(Alteration),
}

/// What a client sees in place of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An error of S3's.
    Refused {
        /// The HTTP status.
        status: u16,
        /// S3's code for it: `InternalError`, `SlowDown`, …
        code: &'static str,
    },
    /// The status of a success, and an error in the body: what S3 sends when it failed after it had begun to answer.
    ErrorInSuccess,
    /// The connection is closed.
    Cut,
    /// Nothing, until it is released; then all goes on as if nothing had been.
    Held,
}

/// How an answer differs from the one that S3 would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// It has no ETag.
    NoETag,
    /// Its body comes in small pieces with pauses between them.
    SlowBody,
    /// Its body stops in the middle, and the connection stays open.
    StalledBody,
    /// Its body stops in the middle, where the connection is closed.
    BrokenBody,
}

/// The pieces and pauses of a slow body: a watermark takes some tenths of a second.
const PIECE: usize = 16;
const PAUSE: Duration = Duration::from_millis(20);

/// An error of S3's, with the body that S3 gives it. (The server leaves it out where the request was a HEAD.)
pub(super) fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>A fault set by a test.</Message><RequestId>{}</RequestId></Error>",
        uuid::Uuid::new_v4()
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// What makes the server close a connection without an answer.
pub(super) fn cut() -> HttpError {
    HttpError::new("a fault set by a test".into())
}

/// The answer, altered.
pub(super) async fn alter(mut response: Response<Body>, how: Alteration) -> Result<Response<Body>, HttpError> {
    if how == Alteration::NoETag {
        response.headers_mut().remove(ETAG);
        return Ok(response);
    }
    let (head, mut body) = response.into_parts();
    let body = body.store_all_limited(usize::MAX).await.map_err(HttpError::new)?;
    // The headers stay, with the length that was promised in them.
    Ok(Response::from_parts(head, Body::from(shaped(body, how))))
}

fn shaped(body: Bytes, how: Alteration) -> StreamingBlob {
    let half = body.slice(..body.len() / 2);
    match how {
        Alteration::SlowBody => {
            let pieces: Vec<_> = body.chunks(PIECE).map(|piece| body.slice_ref(piece)).collect();
            StreamingBlob::wrap(stream::iter(pieces).then(|piece| async move {
                tokio::time::sleep(PAUSE).await;
                Ok::<_, std::io::Error>(piece)
            }))
        }
        Alteration::StalledBody => StreamingBlob::wrap(stream::iter([Ok::<_, std::io::Error>(half)]).chain(stream::pending())),
        Alteration::BrokenBody => {
            // Later than the piece before it, or the server would close before it has sent that.
            let broken = stream::once(async {
                tokio::time::sleep(PAUSE).await;
                Err(std::io::Error::other("a fault set by a test"))
            });
            StreamingBlob::wrap(stream::iter([Ok(half)]).chain(broken))
        }
        Alteration::NoETag => StreamingBlob::wrap(stream::iter([Ok::<_, std::io::Error>(body)])),
    }
}

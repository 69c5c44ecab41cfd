//! A PUT's body, whole and checked before anything changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{PutObjectInput, StreamingBlob};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

/// Reads the body to its end and puts it back; answers its length.
///
/// A client that is stopped in the middle of its upload must not hold the key's lock, so the body comes before the
/// lock. And s3s-fs compares the checksums only after the data has replaced the object, so they are compared here.
pub(super) async fn receive(req: &mut S3Request<PutObjectInput>) -> S3Result<u64> {
    let Some(mut stream) = req.input.body.take() else { return Err(s3_error!(IncompleteBody)) };
    let mut received = BytesMut::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
        received.extend_from_slice(&part);
    }
    let received = received.freeze();
    take_trailers(req)?;
    verify(&mut req.input, &received)?;
    let size = received.len() as u64;
    req.input.body = Some(StreamingBlob::from(Body::from(received)));
    Ok(size)
}

/// Checksums that followed the body, put where those before the body are.
fn take_trailers(req: &mut S3Request<PutObjectInput>) -> S3Result<()> {
    let Some(trailers) = req.trailing_headers.take().and_then(|handle| handle.take()) else { return Ok(()) };
    let input = &mut req.input;
    for (name, field) in [
        ("x-amz-checksum-crc32", &mut input.checksum_crc32),
        ("x-amz-checksum-crc32c", &mut input.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &mut input.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &mut input.checksum_sha1),
        ("x-amz-checksum-sha256", &mut input.checksum_sha256),
    ] {
        if let Some(value) = trailers.get(name) {
            *field = Some(value.to_str().map_err(|_| s3_error!(InvalidArgument))?.to_owned());
        }
    }
    Ok(())
}

fn verify(input: &mut PutObjectInput, received: &Bytes) -> S3Result<()> {
    // Only what was given is computed.
    let mut hasher = ChecksumHasher {
        crc32: input.checksum_crc32.as_ref().map(|_| Default::default()),
        crc32c: input.checksum_crc32c.as_ref().map(|_| Default::default()),
        crc64nvme: input.checksum_crc64nvme.as_ref().map(|_| Default::default()),
        sha1: input.checksum_sha1.as_ref().map(|_| Default::default()),
        sha256: input.checksum_sha256.as_ref().map(|_| Default::default()),
    };
    hasher.update(received);
    let actual = hasher.finalize();
    let given = [
        (&input.checksum_crc32, &actual.checksum_crc32),
        (&input.checksum_crc32c, &actual.checksum_crc32c),
        (&input.checksum_crc64nvme, &actual.checksum_crc64nvme),
        (&input.checksum_sha1, &actual.checksum_sha1),
        (&input.checksum_sha256, &actual.checksum_sha256),
    ];
    if given.iter().any(|(expected, actual)| expected != actual) {
        return Err(s3_error!(BadDigest, "The checksum you specified did not match what we received."));
    }
    if given.iter().all(|(expected, _)| expected.is_none()) {
        // Announced but not sent: s3s-fs would count that as a mismatch.
        input.checksum_algorithm = None;
    }
    if let Some(expected) = &input.content_md5 {
        let mut md5 = Md5::new();
        md5.update(received);
        if STANDARD.encode(md5.finalize()) != *expected {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
    }
    Ok(())
}

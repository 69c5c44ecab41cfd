//! Objects that land in a day that is compacted already.

use super::*;

const NAME: &str = "c-4L6g3nShT-eMCtK--X86sw-quotes-00000-00000000000000004200.parquet";
const MANIFEST: &str = "GET /tickerlake-lake-123456789012-us-east-1/compacted/dt%3D2026-11-23/1f00/_manifest.json";
const COPY: &str = "PUT /tickerlake-lake-123456789012-us-east-1/compacted/dt%3D2026-11-23/1f00/c-4L6g3nShT-eMCtK--X86sw-quotes-00000-00000000000000004200.parquet";
const OTHER_MANIFEST: &str = "GET /tickerlake-lake-123456789012-us-east-1/compacted/dt%3D2026-11-23/2a00/_manifest.json";

fn compacted_to(generation: &str) -> Answer {
    partition(&format!("s3://{BUCKET}/compacted/dt=2026-11-23/{generation}/"), json!({}))
}

fn manifest(covers: &[&str]) -> Answer {
    Answer::S3(200, json!({"rows": 1, "parts": ["part-quotes-00000.parquet"], "covers": covers}).to_string())
}

fn copied() -> Answer {
    Answer::S3(200, "<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>".to_owned())
}

#[tokio::test]
async fn it_is_copied_to_where_the_day_is_read_from() {
    let script = vec![
        ("GetPartition", compacted_to("1f00")),
        (MANIFEST, manifest(&["a.parquet"])),
        (COPY, copied()),
        ("GetPartition", compacted_to("1f00")),
    ];
    assert!(one_message(script).await.is_empty());
}

#[tokio::test]
async fn one_whose_rows_are_in_the_generation_already_is_not_copied() {
    let script = vec![("GetPartition", compacted_to("1f00")), (MANIFEST, manifest(&[NAME])), ("GetPartition", compacted_to("1f00"))];
    assert!(one_message(script).await.is_empty(), "a notification that came late, or once more");
}

#[tokio::test]
async fn a_day_that_moves_on_meanwhile_is_followed() {
    let script = vec![
        ("GetPartition", compacted_to("1f00")),
        (MANIFEST, manifest(&[])),
        (COPY, copied()),
        ("GetPartition", compacted_to("2a00")),
        (OTHER_MANIFEST, manifest(&[NAME])),
        ("GetPartition", compacted_to("2a00")),
    ];
    assert!(one_message(script).await.is_empty());
    let back = vec![("GetPartition", compacted_to("1f00")), (MANIFEST, manifest(&[])), (COPY, copied()), ("GetPartition", known())];
    assert!(one_message(back).await.is_empty(), "also back to where it began");
}

#[tokio::test]
async fn a_copy_that_is_there_or_whose_source_is_gone_is_success() {
    for answer in [Answer::s3_error(412, "PreconditionFailed"), Answer::s3_error(404, "NoSuchKey")] {
        let script =
            vec![("GetPartition", compacted_to("1f00")), (MANIFEST, manifest(&[])), (COPY, answer), ("GetPartition", compacted_to("1f00"))];
        assert!(one_message(script).await.is_empty());
    }
}

#[tokio::test]
async fn without_a_manifest_nothing_is_copied() {
    let script = |answer| vec![("GetPartition", compacted_to("1f00")), (MANIFEST, answer)];
    assert_eq!(one_message(script(Answer::s3_error(404, "NoSuchKey"))).await, [FIRST]);
    let given_up = reason(MAX_RECEIVE_COUNT, script(Answer::s3_error(404, "NoSuchKey"))).await;
    assert!(
        given_up.starts_with("s3://tickerlake-lake-123456789012-us-east-1/compacted/dt=2026-11-23/1f00/ has no manifest"),
        "{given_up}"
    );
    let damaged = reason(5, script(Answer::S3(200, "{".to_owned()))).await;
    assert!(
        damaged
            .starts_with("the manifest of s3://tickerlake-lake-123456789012-us-east-1/compacted/dt=2026-11-23/1f00/ cannot be read: EOF"),
        "{damaged}"
    );
}

#[tokio::test]
async fn a_copy_that_s3_refuses_is_given_up_with_its_reason() {
    let script =
        |status, code| vec![("GetPartition", compacted_to("1f00")), (MANIFEST, manifest(&[])), (COPY, Answer::s3_error(status, code))];
    assert_eq!(received_message(4, script(403, "AccessDenied")).await, [FIRST]);
    let refused = reason(5, script(403, "AccessDenied")).await;
    assert!(refused.starts_with("CopyObject s3://") && refused.contains("AccessDenied"), "{refused}");
    assert_eq!(received_message(19, script(503, "SlowDown")).await, [FIRST]);
}

#[tokio::test]
async fn a_warm_instance_reads_a_manifest_once_but_asks_where_the_day_lies() {
    let mut script = vec![("GetPartition", compacted_to("1f00")), (MANIFEST, manifest(&[NAME])), ("GetPartition", compacted_to("1f00"))];
    script.extend([("GetPartition", compacted_to("1f00")), ("GetPartition", compacted_to("1f00"))]);
    let stub = Stub::start(script).await;
    let handler = handler(&stub);
    for _ in 0..2 {
        assert!(failures(&handler, ONE).await.is_empty());
    }
    stub.assert_all_asked();
}

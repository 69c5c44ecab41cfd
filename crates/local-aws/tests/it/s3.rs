//! S3 through its own SDK.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};

use crate::stack::{LAKE, Stack};

/// Enough for s3s-fs on its own to let both writers win nearly every time.
const RACES: usize = 300;

/// Status code and error code.
fn refusal<T: aws_sdk_s3::error::ProvideErrorMetadata>(error: &SdkError<T>) -> (u16, String) {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}

async fn put_if(
    s3: &Client,
    key: &str,
    content: String,
    none_match: Option<&str>,
    if_match: Option<&str>,
) -> Result<String, SdkError<PutObjectError>> {
    let put = s3.put_object().bucket(LAKE).key(key).body(ByteStream::from(content.into_bytes()));
    let put = put.set_if_none_match(none_match.map(str::to_owned)).set_if_match(if_match.map(str::to_owned));
    Ok(put.send().await?.e_tag.unwrap())
}

async fn content(s3: &Client, key: &str) -> (String, String) {
    let object = s3.get_object().bucket(LAKE).key(key).send().await.unwrap();
    let etag = object.e_tag.clone().unwrap();
    let bytes = object.body.collect().await.unwrap().to_vec();
    (String::from_utf8(bytes).unwrap(), etag)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_its_metadata_along_and_replaces_nothing_if_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    let put = s3.put_object().bucket(LAKE).key("quotes/dt=1/a b").metadata("last-offset", "7").content_type("text/x-a");
    put.body(ByteStream::from_static(b"first")).send().await.unwrap();
    put_if(&s3, "other", "other".to_owned(), None, None).await.unwrap();
    let copy = |from: &str, to: &str| s3.copy_object().bucket(LAKE).key(to).copy_source(format!("{LAKE}/{from}"));

    copy("quotes/dt%3D1/a%20b", "compacted/a").if_none_match("*").send().await.unwrap();
    let head = s3.head_object().bucket(LAKE).key("compacted/a").send().await.unwrap();
    assert_eq!((head.metadata().unwrap()["last-offset"].as_str(), head.content_type()), ("7", Some("text/x-a")));
    assert_eq!(content(&s3, "compacted/a").await, content(&s3, "quotes/dt=1/a b").await, "the ETag, too");

    let refused = copy("other", "compacted/a").if_none_match("*").send().await.unwrap_err();
    assert_eq!(refusal(&refused), (412, "PreconditionFailed".to_owned()));
    assert_eq!(content(&s3, "compacted/a").await.0, "first");
    let refused = copy("nobody", "compacted/b").if_none_match("*").send().await.unwrap_err();
    assert_eq!(refusal(&refused).0, 404);
    copy("other", "compacted/a").send().await.unwrap();
    assert_eq!(content(&s3, "compacted/a").await.0, "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_that_create_one_key_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    for race in 0..RACES {
        let key = format!("state/{race}.json");
        let (one, other) = tokio::join!(
            tokio::spawn({
                let (s3, key) = (s3.clone(), key.clone());
                async move { put_if(&s3, &key, "one".repeat(1000), Some("*"), None).await }
            }),
            tokio::spawn({
                let (s3, key) = (s3.clone(), key.clone());
                async move { put_if(&s3, &key, "other".repeat(1000), Some("*"), None).await }
            }),
        );
        let (winner, etag, loser) = match (one.unwrap(), other.unwrap()) {
            (Ok(etag), Err(loser)) => ("one", etag, loser),
            (Err(loser), Ok(etag)) => ("other", etag, loser),
            both => panic!("race {race}: {both:?}"),
        };
        assert_eq!(refusal(&loser), (412, "PreconditionFailed".to_owned()));
        assert_eq!(content(&s3, &key).await, (winner.repeat(1000), etag));
    }
    assert_eq!(stack.created.lock().unwrap().len(), RACES, "a lost race must not be told");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_that_swap_one_content_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    let mut etag = put_if(&s3, "state.json", "0".to_owned(), None, None).await.unwrap();
    for race in 1..=RACES {
        let swap = |writer: &'static str| {
            let (s3, etag) = (s3.clone(), etag.clone());
            tokio::spawn(async move { put_if(&s3, "state.json", format!("{writer} {race}"), None, Some(&etag)).await })
        };
        let (one, other) = (swap("one"), swap("other"));
        // A reader in the middle must see one write's data under that same write's ETag.
        let (seen, seen_etag) = content(&s3, "state.json").await;
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        let (winner, loser) = match (one, other) {
            (Ok(etag), Err(loser)) => ((format!("one {race}"), etag), loser),
            (Err(loser), Ok(etag)) => ((format!("other {race}"), etag), loser),
            both => panic!("race {race}: {both:?}"),
        };
        assert_eq!(refusal(&loser), (412, "PreconditionFailed".to_owned()));
        assert!(seen_etag == etag || (seen == winner.0 && seen_etag == winner.1), "{seen} {seen_etag}");
        etag = winner.1;
    }
}

#[tokio::test]
async fn refusals_are_those_of_s3() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    let missing = put_if(&s3, "state/none.json", "x".to_owned(), None, Some("\"0123\"")).await.unwrap_err();
    assert_eq!(refusal(&missing), (404, "NoSuchKey".to_owned()));

    stack.put("quotes/dt=2013-10-07/a.parquet", "x").await;
    let folder_key = s3.get_object().bucket(LAKE).key("quotes/dt=2013-10-07").send().await.unwrap_err();
    assert_eq!(refusal(&folder_key), (404, "NoSuchKey".to_owned()));
    assert!(s3.head_object().bucket(LAKE).key("quotes").send().await.unwrap_err().into_service_error().is_not_found());

    let bucket = s3.put_object().bucket("nowhere").key("a").body(ByteStream::from_static(b"x")).send().await.unwrap_err();
    assert_eq!(refusal(&bucket), (404, "NoSuchBucket".to_owned()));
    assert!(!stack_folder(&folder).join("nowhere").exists());

    let long = put_if(&s3, &"k".repeat(250), "x".to_owned(), None, None).await.unwrap_err();
    assert_eq!(refusal(&long), (400, "KeyTooLongError".to_owned()));

    let stranger = stack.s3_with_secret("wrong").head_bucket().bucket(LAKE).send().await.unwrap_err();
    assert_eq!(stranger.raw_response().unwrap().status().as_u16(), 403);

    let full = s3.delete_bucket().bucket(LAKE).send().await.unwrap_err();
    assert_eq!(refusal(&full), (409, "BucketNotEmpty".to_owned()));
}

fn stack_folder(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("s3")
}

#[tokio::test]
async fn a_body_that_arrives_damaged_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    stack.put("state.json", "good").await;
    let damaged = s3
        .put_object()
        .bucket(LAKE)
        .key("state.json")
        .checksum_crc32("AAAAAA==")
        .body(ByteStream::from_static(b"damaged"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(damaged.code(), Some("BadDigest"));
    assert_eq!(content(&s3, "state.json").await.0, "good");
    assert_eq!(stack.created.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn metadata_listing_ranges_and_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    let key = "quotes/dt=2013-10-07/c-abc-quotes-00000-00000000000000000000.parquet";
    let put = s3.put_object().bucket(LAKE).key(key).content_type("application/vnd.apache.parquet");
    let put = put.metadata("last-offset", "41").body(ByteStream::from_static(b"0123456789")).send().await.unwrap();

    let head = s3.head_object().bucket(LAKE).key(key).send().await.unwrap();
    assert_eq!(head.metadata().unwrap().get("last-offset").map(String::as_str), Some("41"));
    assert_eq!(head.content_type(), Some("application/vnd.apache.parquet"));
    assert_eq!((head.content_length(), head.e_tag()), (Some(10), put.e_tag()));
    assert_eq!(std::fs::read(stack_folder(&folder).join(LAKE).join(key)).unwrap(), b"0123456789");

    let part = s3.get_object().bucket(LAKE).key(key).range("bytes=2-4").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"234");

    stack.put("quotes/dt=2013-10-08/b.parquet", "b").await;
    stack.put("state/log.json", "{}").await;
    let listed = s3.list_objects_v2().bucket(LAKE).prefix("quotes/").send().await.unwrap();
    let etags: BTreeMap<_, _> = listed.contents().iter().map(|object| (object.key().unwrap(), object.e_tag())).collect();
    assert_eq!(etags.len(), 2);
    assert_eq!(etags[key], put.e_tag());
    let folders = s3.list_objects_v2().bucket(LAKE).prefix("quotes/").delimiter("/").send().await.unwrap();
    let folders: Vec<_> = folders.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!(folders, ["quotes/dt=2013-10-07/", "quotes/dt=2013-10-08/"]);

    let mut pages = s3.list_objects_v2().bucket(LAKE).max_keys(1).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
    }
    assert_eq!(keys.len(), 3);

    let copy = s3.copy_object().bucket(LAKE).key("copy").copy_source(format!("{LAKE}/{key}")).send().await.unwrap();
    assert_eq!(copy.copy_object_result().unwrap().e_tag(), put.e_tag());
    s3.delete_object().bucket(LAKE).key(key).if_match("\"other\"").send().await.unwrap_err();
    s3.delete_object().bucket(LAKE).key(key).send().await.unwrap();
    s3.delete_object().bucket(LAKE).key(key).send().await.unwrap();
    let both = ["quotes/dt=2013-10-08/b.parquet", "state/log.json"];
    let both = both.map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(both.to_vec())).build().unwrap();
    assert_eq!(s3.delete_objects().bucket(LAKE).delete(delete).send().await.unwrap().deleted().len(), 2);
    let left = s3.list_objects_v2().bucket(LAKE).send().await.unwrap();
    assert_eq!(left.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(), ["copy"]);
    assert_eq!(left.key_count(), Some(1));

    let told: Vec<_> = stack.created.lock().unwrap().iter().map(|told| (told.event_name, told.key.clone(), told.size)).collect();
    assert_eq!(
        told,
        [
            ("ObjectCreated:Put", key.to_owned(), 10),
            ("ObjectCreated:Put", "quotes/dt=2013-10-08/b.parquet".to_owned(), 1),
            ("ObjectCreated:Put", "state/log.json".to_owned(), 2),
            ("ObjectCreated:Copy", "copy".to_owned(), 10),
        ]
    );
}

#[tokio::test]
async fn a_multipart_upload_is_one_object_and_one_event() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    let s3 = stack.s3();
    let upload = s3.create_multipart_upload().bucket(LAKE).key("big").metadata("a", "b").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (2, 3)] {
        let part = s3.upload_part().bucket(LAKE).key("big").upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(vec![b'x'; size])).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let completed = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = s3.complete_multipart_upload().bucket(LAKE).key("big").upload_id(id).multipart_upload(completed);
    let complete = complete.if_none_match("*").send().await.unwrap();
    assert!(complete.e_tag().unwrap().ends_with("-2\""));
    let head = s3.head_object().bucket(LAKE).key("big").send().await.unwrap();
    assert_eq!(head.content_length(), Some((5 << 20) + 3));
    assert_eq!(head.metadata().unwrap().get("a").map(String::as_str), Some("b"));
    let told = stack.created.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event_name, told[0].size), ("ObjectCreated:CompleteMultipartUpload", (5 << 20) + 3));
    assert_eq!(format!("\"{}\"", told[0].etag), complete.e_tag().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_a_whole_object_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    for attempt in 0..200_usize {
        // A client of its own each time: what it leaves open is closed with it.
        let s3 = stack.s3();
        let key = format!("quotes/{attempt}");
        let put = tokio::spawn(async move {
            let put = s3.put_object().bucket(LAKE).key(key).metadata("last-offset", "7");
            put.body(ByteStream::from(vec![b'x'; 64 << 10])).send().await
        });
        for _ in 0..attempt {
            tokio::task::yield_now().await;
        }
        put.abort();
        let _ = put.await;
    }
    let s3 = stack.s3();
    // Whatever still runs in the gateway holds the key until it is done, and the listing waits for it.
    for object in s3.list_objects_v2().bucket(LAKE).send().await.unwrap().contents() {
        let head = s3.head_object().bucket(LAKE).key(object.key().unwrap()).send().await.unwrap();
        assert_eq!(head.content_length(), Some(64 << 10));
        assert_eq!(head.e_tag(), object.e_tag());
        assert_eq!(head.metadata().unwrap().get("last-offset").map(String::as_str), Some("7"));
    }
}

#[tokio::test]
async fn an_object_that_was_never_acknowledged_is_gone_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(folder.path()).await;
    stack.put("state.json", "kept").await;
    stack.gateway.stop().await;
    // What s3s-fs leaves when it is killed after the rename: data, but no ETag.
    std::fs::write(stack_folder(&folder).join(LAKE).join("half"), "x").unwrap();

    let stack = Stack::start(folder.path()).await;
    assert_eq!(stack.gateway.recovered().removed, 1);
    let s3 = stack.s3();
    assert!(s3.head_object().bucket(LAKE).key("half").send().await.is_err());
    let (kept, etag) = content(&s3, "state.json").await;
    assert_eq!(kept, "kept");
    put_if(&s3, "state.json", "next".to_owned(), None, Some(&etag)).await.unwrap();
}

//! The faults that tests set in S3.

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata as _};
use local_aws::s3::faults::{Alteration, Failure, Fault, Faults, Operation, Trigger};

use crate::stack::{LAKE, Stack};

const KEY: &str = "quotes/dt=2026-11-23/a.parquet";

/// A gateway, its faults, and a client that tries each request once.
async fn start(folder: &std::path::Path) -> (Stack, Faults, Client) {
    let faults = Faults::default();
    let stack = Stack::start_with(folder, |config| config.faults = faults.clone()).await;
    let once = stack.s3().config().to_builder().retry_config(RetryConfig::disabled());
    (stack, faults, Client::from_conf(once.build()))
}

fn on(operation: Operation, after: usize, times: usize) -> Trigger {
    Trigger { operation, bucket: LAKE.to_owned(), key_prefix: "quotes/dt=2026-".to_owned(), after, times }
}

async fn put(s3: &Client, content: &str) -> Result<Option<String>, String> {
    let put = s3.put_object().bucket(LAKE).key(KEY).body(ByteStream::from(content.as_bytes().to_vec()));
    match put.send().await {
        Ok(output) => Ok(output.e_tag),
        Err(error) => Err(error.code().unwrap_or("no answer").to_owned()),
    }
}

/// The object; `None` where there is none.
async fn get(s3: &Client) -> Option<String> {
    let object = s3.get_object().bucket(LAKE).key(KEY).send().await.ok()?;
    Some(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_that_fails_is_carried_out_only_if_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let (_stack, faults, s3) = start(folder.path()).await;
    let refused = Failure::Refused { status: 503, code: "SlowDown" };
    for (failure, told) in
        [(refused, Err("SlowDown".into())), (Failure::Cut, Err("no answer".into())), (Failure::ErrorInSuccess, Err("InternalError".into()))]
    {
        s3.delete_object().bucket(LAKE).key(KEY).send().await.unwrap();
        let before = faults.arm(on(Operation::Put, 0, 1), Fault::Before(failure));
        assert_eq!(put(&s3, "before").await, told);
        assert_eq!((before.count(), get(&s3).await), (1, None), "{failure:?}");
        let after = faults.arm(on(Operation::Put, 0, 1), Fault::After(failure));
        assert_eq!(put(&s3, "after").await, told);
        assert_eq!((after.count(), get(&s3).await.as_deref()), (1, Some("after")), "{failure:?}");
    }
}

#[tokio::test]
async fn only_the_requests_described_meet_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (stack, faults, s3) = start(folder.path()).await;
    let armed = faults.arm(on(Operation::Put, 1, 2), Fault::Before(Failure::Cut));
    stack.put("state/a.json", "another key").await;
    let mut met = Vec::new();
    for _ in 0..4 {
        met.push(put(&s3, "content").await.is_err());
        assert!(get(&s3).await.is_some(), "another operation");
    }
    assert_eq!((met, armed.count()), (vec![false, true, true, false], 2));

    let armed = faults.arm(on(Operation::Put, 0, usize::MAX), Fault::Before(Failure::Cut));
    assert!(put(&s3, "content").await.is_err());
    drop(armed);
    assert!(put(&s3, "content").await.is_ok());
}

#[tokio::test]
async fn a_request_held_is_carried_out_late_even_without_its_sender() {
    let folder = tempfile::tempdir().unwrap();
    let (_stack, faults, s3) = start(folder.path()).await;
    let armed = faults.arm(on(Operation::Put, 0, 1), Fault::Before(Failure::Held));
    tokio::select! {
        answer = put(&s3, "late") => panic!("{answer:?}"),
        () = armed.reached() => {}
    }
    assert_eq!(put(&s3, "early").await.map(|etag| etag.is_some()), Ok(true));
    armed.release();
    armed.settled().await;
    assert_eq!(get(&s3).await.as_deref(), Some("late"));
}

#[tokio::test]
async fn a_request_held_is_given_up_with_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let (_stack, faults, s3) = start(folder.path()).await;
    let armed = faults.arm(on(Operation::Put, 0, 1), Fault::Before(Failure::Held));
    let (answer, ()) = tokio::join!(put(&s3, "never"), async {
        armed.reached().await;
        drop(armed);
    });
    assert_eq!((answer, get(&s3).await), (Err("no answer".to_owned()), None));
}

#[tokio::test]
async fn an_answer_arrives_altered() {
    let folder = tempfile::tempdir().unwrap();
    let (_stack, faults, s3) = start(folder.path()).await;
    let armed = faults.arm(on(Operation::Put, 0, 1), Fault::Altered(Alteration::NoETag));
    assert_eq!(put(&s3, &"content ".repeat(10)).await, Ok(None));
    drop(armed);

    let armed = faults.arm(on(Operation::Get, 0, 1), Fault::Altered(Alteration::SlowBody));
    assert_eq!(get(&s3).await, Some("content ".repeat(10)));
    drop(armed);
    let _armed = faults.arm(on(Operation::Get, 0, 1), Fault::Altered(Alteration::BrokenBody));
    let mut body = s3.get_object().bucket(LAKE).key(KEY).send().await.unwrap().body;
    let mut received = 0;
    let broken = loop {
        match body.next().await {
            Some(Ok(chunk)) => received += chunk.len(),
            end => break matches!(end, Some(Err(_))),
        }
    };
    assert_eq!((received, broken), (40, true), "half of it");
}

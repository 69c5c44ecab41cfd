//! Crawls that are owed, under way, too old, or over.

use super::*;

/// A message of a day that was registered here, and what the crawler says of itself.
fn owed(crawler: Answer) -> Script {
    vec![("GetPartition", registered_here()), ("GetCrawler", crawler)]
}

#[tokio::test]
async fn a_message_that_is_owed_a_crawl_is_done_once_one_has_succeeded_that_began_late_enough() {
    assert!(one_message(owed(ready(Some(("SUCCEEDED", LANDED))))).await.is_empty());
    for (status, began) in [("SUCCEEDED", "2026-11-23T14:31:05.411Z"), ("FAILED", LANDED), ("CANCELLED", LANDED)] {
        let mut again = owed(ready(Some((status, began))));
        again.push(("StartCrawler", done()));
        assert_eq!(one_message(again).await, [FIRST], "{status} {began}");
    }
}

#[tokio::test]
async fn a_crawl_that_is_under_way_is_waited_for_whenever_it_began() {
    for began in ["2026-11-23T14:31:00Z", "2026-11-23T14:31:10Z"] {
        assert_eq!(one_message(owed(running_since(began))).await, [FIRST]);
        let mut new_day = registering();
        new_day.push(("GetCrawler", running_since(began)));
        assert_eq!(one_message(new_day).await, [FIRST]);
    }
}

#[tokio::test]
async fn a_crawler_that_was_running_by_the_time_it_was_to_be_started_is_waited_for() {
    let mut raced = owed(ready(None));
    raced.push(("StartCrawler", Answer::error(400, "CrawlerRunningException")));
    assert_eq!(one_message(raced).await, [FIRST]);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_settled_by_the_crawl_that_it_began() {
    let mut lost = owed(ready(None));
    // The SDK's own second try meets the crawl that its first one started.
    lost.extend([("StartCrawler", Answer::Gone), ("StartCrawler", Answer::error(400, "CrawlerRunningException"))]);
    lost.extend(owed(running_since("2026-11-23T14:31:10Z")));
    lost.extend(owed(ready(Some(("SUCCEEDED", "2026-11-23T14:31:10Z")))));
    let stub = Stub::start(lost).await;
    let handler = handler_that_tries(&stub, 2);
    assert_eq!(failures(&handler, ONE).await, [FIRST]);
    assert_eq!(failures(&handler, ONE).await, [FIRST]);
    assert!(failures(&handler, ONE).await.is_empty());
    stub.assert_all_asked();
}

#[tokio::test]
async fn a_crawl_that_keeps_failing_is_given_up_with_glues_reason() {
    let failed = || owed(ready(Some(("FAILED", "2026-11-23T14:31:10Z"))));
    for receives in [2, 4] {
        let mut again = failed();
        again.push(("StartCrawler", done()));
        assert_eq!(received_message(receives, again).await, [FIRST]);
    }
    // Given up, and not started once more for nobody.
    let reason = reason(5, failed()).await;
    assert_eq!(reason, "the crawl of crawler that began at 2026-11-23T14:31:10.000Z did not succeed: why");
}

#[tokio::test]
async fn a_crawl_that_failed_for_an_older_object_is_none_of_a_newer_ones() {
    let mut older = owed(ready(Some(("FAILED", "2026-11-23T14:31:00Z"))));
    older.push(("StartCrawler", done()));
    assert_eq!(received_message(5, older).await, [FIRST], "it has its own tries");
}

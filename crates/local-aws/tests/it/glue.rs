//! Glue through its own SDK.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use aws_sdk_glue::Client;
use aws_sdk_glue::types::{
    CrawlerHistoryState, CrawlerState, LastCrawlStatus, PartitionInput, PartitionValueList, StorageDescriptor, TableInput,
};
use local_aws::gateway::{Gateway, GatewayConfig, GatewayError};
use local_aws::glue::Change;

use crate::stack::{Row, Stack, parquet, seed, write};
use crate::support::eventually;

const CRAWLER: &str = "tickerlake-quotes";

const ROWS: [Row; 1] = [Row { symbol: "AAPL", price: 487_750_000, event_time: 1_381_132_859_999, conditions: None }];

fn partition(date: &str) -> PartitionInput {
    let location = format!("s3://lake/quotes/dt={date}/");
    let descriptor = StorageDescriptor::builder().location(location).build();
    PartitionInput::builder().values(date).storage_descriptor(descriptor).build()
}

/// Starts a crawl and waits for its end.
async fn crawl(glue: &Client) -> aws_sdk_glue::types::LastCrawlInfo {
    glue.start_crawler().name(CRAWLER).send().await.unwrap();
    loop {
        let crawler = glue.get_crawler().name(CRAWLER).send().await.unwrap().crawler.unwrap();
        if crawler.state() == Some(&CrawlerState::Ready) {
            return crawler.last_crawl.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

async fn partitions(glue: &Client) -> Vec<String> {
    let mut pages = glue.get_partitions().database_name("tickerlake").table_name("quotes").max_results(2).into_paginator().send();
    let mut values = Vec::new();
    while let Some(page) = pages.next().await {
        values.extend(page.unwrap().partitions.unwrap_or_default().into_iter().flat_map(|found| found.values.unwrap()));
    }
    values
}

#[tokio::test]
async fn databases_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = stack.glue();
    let database = glue.get_database().name("tickerlake").send().await.unwrap().database.unwrap();
    assert_eq!(database.name(), "tickerlake");
    let missing = glue.get_database().name("nowhere").send().await.unwrap_err().into_service_error();
    assert!(missing.is_entity_not_found_exception());

    let input = |column: &str| {
        let column = aws_sdk_glue::types::Column::builder().name(column).r#type("string").build().unwrap();
        let descriptor = StorageDescriptor::builder().location("s3://lake/other/").columns(column).build();
        TableInput::builder().name("Other").storage_descriptor(descriptor).build().unwrap()
    };
    glue.create_table().database_name("tickerlake").table_input(input("a")).send().await.unwrap();
    let again = glue.create_table().database_name("tickerlake").table_input(input("a")).send().await.unwrap_err();
    assert!(again.into_service_error().is_already_exists_exception());
    glue.update_table().database_name("tickerlake").table_input(input("b")).send().await.unwrap();
    let stale = glue.update_table().database_name("tickerlake").table_input(input("c")).version_id("0").send().await;
    assert!(stale.unwrap_err().into_service_error().is_concurrent_modification_exception());
    let table = glue.get_table().database_name("tickerlake").name("other").send().await.unwrap().table.unwrap();
    assert_eq!(table.storage_descriptor().unwrap().columns()[0].name(), "b");
    assert_eq!(table.version_id(), Some("1"));
    assert!(table.create_time().is_some());
    assert_eq!(glue.get_tables().database_name("tickerlake").send().await.unwrap().table_list().len(), 2);
    glue.delete_table().database_name("tickerlake").name("other").send().await.unwrap();
    let gone = glue.get_table().database_name("tickerlake").name("other").send().await.unwrap_err();
    assert!(gone.into_service_error().is_entity_not_found_exception());
}

#[tokio::test]
async fn partitions_are_created_once_paged_and_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = stack.glue();
    for date in ["2013-10-09", "2013-10-07", "2013-10-08"] {
        let create = glue.create_partition().database_name("tickerlake").table_name("quotes");
        create.partition_input(partition(date)).send().await.unwrap();
    }
    let twice = glue.create_partition().database_name("tickerlake").table_name("quotes");
    let twice = twice.partition_input(partition("2013-10-07")).send().await.unwrap_err();
    assert!(twice.into_service_error().is_already_exists_exception());
    let batch = glue.batch_create_partition().database_name("tickerlake").table_name("quotes");
    let batch = batch.partition_input_list(partition("2013-10-07")).partition_input_list(partition("2013-10-10"));
    let batch = batch.send().await.unwrap();
    assert_eq!(batch.errors()[0].error_detail().unwrap().error_code(), Some("AlreadyExistsException"));
    let wrong = PartitionInput::builder().values("a").values("b").build();
    let wrong = glue.create_partition().database_name("tickerlake").table_name("quotes").partition_input(wrong);
    assert!(wrong.send().await.unwrap_err().into_service_error().is_invalid_input_exception());

    assert_eq!(partitions(&glue).await, ["2013-10-07", "2013-10-08", "2013-10-09", "2013-10-10"]);

    let moved = StorageDescriptor::builder().location("s3://lake/moved/").build();
    let moved = PartitionInput::builder().values("2013-10-08").storage_descriptor(moved).build();
    let update = glue.update_partition().database_name("tickerlake").table_name("quotes");
    update.partition_value_list("2013-10-08").partition_input(moved).send().await.unwrap();
    let delete = glue.delete_partition().database_name("tickerlake").table_name("quotes");
    delete.partition_values("2013-10-10").send().await.unwrap();
    let wanted = ["2013-10-08", "2013-10-10"].map(|date| PartitionValueList::builder().values(date).build().unwrap());
    let found = glue.batch_get_partition().database_name("tickerlake").table_name("quotes");
    let found = found.set_partitions_to_get(Some(wanted.to_vec())).send().await.unwrap();
    assert_eq!(found.partitions().len(), 1);
    assert_eq!(found.partitions()[0].storage_descriptor().unwrap().location(), Some("s3://lake/moved/"));

    // Not stopped: as after a kill -9, only what the file holds is left.
    drop(stack);
    let stack = Stack::start_with(folder.path(), seed).await;
    assert_eq!(partitions(&stack.glue()).await, ["2013-10-07", "2013-10-08", "2013-10-09"]);
    let missing = stack.glue().get_partition().database_name("tickerlake").table_name("quotes");
    let missing = missing.partition_values("2013-10-10").send().await.unwrap_err();
    assert!(missing.into_service_error().is_entity_not_found_exception());
}

#[tokio::test]
async fn a_crawl_registers_the_days_that_have_files() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = stack.glue();
    for key in ["quotes/dt=2013-10-07/a.parquet", "quotes/dt=2013-10-07/b.parquet", "quotes/dt=2013-10-08/a.parquet"] {
        stack.put(key, parquet(&ROWS)).await;
    }
    stack.put("quotes/dt=2013-10-09/_a.parquet", parquet(&ROWS)).await;
    stack.put("quotes/dt=2013-10-10/a.txt", "no data").await;
    stack.put("quotes/elsewhere/a.parquet", "not looked at").await;

    let last = crawl(&glue).await;
    assert_eq!(last.status(), Some(&LastCrawlStatus::Succeeded), "{last:?}");
    assert_eq!(partitions(&glue).await, ["2013-10-07", "2013-10-08"]);
    let get = glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values("2013-10-07");
    let made = get.send().await.unwrap().partition.unwrap();
    let descriptor = made.storage_descriptor().unwrap();
    assert_eq!(descriptor.location(), Some("s3://lake/quotes/dt=2013-10-07/"));
    assert_eq!(descriptor.columns().len(), 6);
    assert!(descriptor.serde_info().is_some());

    crawl(&glue).await;
    let crawls = glue.list_crawls().crawler_name(CRAWLER).send().await.unwrap().crawls.unwrap();
    assert_eq!(crawls.len(), 2);
    assert!(crawls.iter().all(|crawl| crawl.state() == Some(&CrawlerHistoryState::Completed)));
    assert!(crawls[1].summary().unwrap().contains("dt=2013-10-08"), "{:?}", crawls[1]);
    assert_eq!(crawls[0].summary(), Some("{}"));
    let metrics = glue.get_crawler_metrics().crawler_name_list(CRAWLER).send().await.unwrap();
    assert_eq!(metrics.crawler_metrics_list()[0].crawler_name(), Some(CRAWLER));

    eventually("both crawls' begin and end are told", || stack.crawled.lock().unwrap().len() == 4).await;
    let told = stack.crawled.lock().unwrap().clone();
    let succeeded = |partitions_created| Change::Succeeded { partitions_created };
    let changes: Vec<_> = told.iter().map(|told| told.change.clone()).collect();
    assert_eq!(changes, [Change::Started, succeeded(2), Change::Started, succeeded(0)]);
    assert_eq!((told[0].crawler.as_str(), &told[0].crawl_id), (CRAWLER, &told[1].crawl_id));
    assert_eq!(Some(told[2].crawl_id.as_str()), crawls[0].crawl_id());
}

#[tokio::test]
async fn a_file_that_does_not_fit_fails_the_crawl_and_names_itself_and_its_column() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let symbol: ArrayRef = Arc::new(StringArray::from(vec!["AAPL"]));
    let price: ArrayRef = Arc::new(Float64Array::from(vec![487.75]));
    let file = "s3://lake/quotes/dt=2013-10-07/a.parquet";
    for (content, message) in [
        (
            write(vec![("symbol", Arc::clone(&symbol)), ("price", price)]),
            format!("{file}: column \"price\" is double in the file, but decimal(18,6) in the table"),
        ),
        (
            write(vec![("symbol", Arc::clone(&symbol)), ("ticker", Arc::clone(&symbol))]),
            format!("{file}: column \"ticker\" is not in the table"),
        ),
        (b"not Parquet".to_vec(), format!("{file}: not a Parquet file: ")),
    ] {
        stack.put("quotes/dt=2013-10-07/a.parquet", content).await;
        let last = crawl(&stack.glue()).await;
        assert_eq!(last.status(), Some(&LastCrawlStatus::Failed));
        assert!(last.error_message().unwrap().starts_with(&message), "{last:?}");
        let failed = Change::Failed { error: last.error_message().unwrap().to_owned() };
        eventually("the crawl's end is told", || stack.crawled.lock().unwrap().last().is_some_and(|told| told.change == failed)).await;
    }
    assert_eq!(partitions(&stack.glue()).await, Vec::<String>::new());
    // A file that lacks columns reads as null, so it fits.
    stack.put("quotes/dt=2013-10-07/a.parquet", write(vec![("symbol", symbol)])).await;
    assert_eq!(crawl(&stack.glue()).await.status(), Some(&LastCrawlStatus::Succeeded));
}

#[tokio::test]
async fn one_crawl_at_a_time_and_ready_again_after_a_stop_or_a_death() {
    let folder = tempfile::tempdir().unwrap();
    let slow = |config: &mut GatewayConfig| {
        seed(config);
        config.crawl_takes_at_least = Duration::from_secs(3600);
    };
    let stack = Stack::start_with(folder.path(), slow).await;
    let glue = stack.glue();
    let idle = glue.stop_crawler().name(CRAWLER).send().await.unwrap_err().into_service_error();
    assert!(idle.is_crawler_not_running_exception());
    glue.start_crawler().name(CRAWLER).send().await.unwrap();
    let running = glue.start_crawler().name(CRAWLER).send().await.unwrap_err().into_service_error();
    assert!(running.is_crawler_running_exception());
    glue.stop_crawler().name(CRAWLER).send().await.unwrap();
    loop {
        let crawler = glue.get_crawler().name(CRAWLER).send().await.unwrap().crawler.unwrap();
        if crawler.state() == Some(&CrawlerState::Ready) {
            assert_eq!(crawler.last_crawl().unwrap().status(), Some(&LastCrawlStatus::Cancelled));
            break;
        }
        assert_eq!(crawler.state(), Some(&CrawlerState::Stopping));
    }
    let told: Vec<_> = stack.crawled.lock().unwrap().iter().map(|told| told.change.clone()).collect();
    assert_eq!(told, [Change::Started], "a crawl that was stopped tells no end");

    glue.start_crawler().name(CRAWLER).send().await.unwrap();
    drop(stack);
    let stack = Stack::start_with(folder.path(), slow).await;
    let crawler = stack.glue().get_crawler().name(CRAWLER).send().await.unwrap().crawler.unwrap();
    assert_eq!(crawler.state(), Some(&CrawlerState::Ready));
    assert_eq!(crawler.last_crawl().unwrap().status(), Some(&LastCrawlStatus::Failed));
    stack.glue().start_crawler().name(CRAWLER).send().await.unwrap();
    let unknown = stack.glue().start_crawler().name("nobody").send().await.unwrap_err();
    assert!(unknown.into_service_error().is_entity_not_found_exception());
    // The crawl under way must not hold up the end.
    stack.gateway.stop().await;
}

#[tokio::test]
async fn a_new_template_changes_the_table_and_keeps_its_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let create = stack.glue().create_partition().database_name("tickerlake").table_name("quotes");
    create.partition_input(partition("2013-10-07")).send().await.unwrap();
    stack.gateway.stop().await;
    let stack = Stack::start_with(folder.path(), |config| {
        seed(config);
        config.glue.tables[0]["TableInput"]["StorageDescriptor"]["Columns"][1]["Type"] = "double".into();
    })
    .await;
    let table = stack.glue().get_table().database_name("tickerlake").name("quotes").send().await.unwrap().table.unwrap();
    assert_eq!(table.storage_descriptor().unwrap().columns()[1].r#type(), Some("double"));
    assert_eq!(partitions(&stack.glue()).await, ["2013-10-07"]);
}

#[tokio::test]
async fn a_damaged_catalog_is_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("glue/catalog.json");
    std::fs::create_dir_all(catalog.parent().unwrap()).unwrap();
    std::fs::write(&catalog, "{").unwrap();
    let error = Gateway::start(GatewayConfig::new(folder.path().to_owned())).await.err().unwrap();
    assert!(matches!(error, GatewayError::Glue(local_aws::glue::GlueError::Damaged { .. })), "{error:?}");
    assert_eq!(std::fs::read_to_string(catalog).unwrap(), "{");
}

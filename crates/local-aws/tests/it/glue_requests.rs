//! What Glue's clients ask of the catalog and the crawlers, through its own SDK.

use aws_sdk_glue::Client;
use aws_sdk_glue::types::{
    BatchUpdatePartitionRequestEntry, CrawlerState, CrawlsFilter, DatabaseInput, FieldName, FilterOperator, PartitionInput,
    PartitionValueList, Segment, StorageDescriptor, TableInput,
};

use crate::stack::{Stack, seed};

const CRAWLER: &str = "tickerlake-quotes";
const DATES: [&str; 4] = ["2013-10-07", "2013-10-08", "2013-10-09", "2013-11-01"];

fn partition(date: &str, location: &str) -> PartitionInput {
    let descriptor = StorageDescriptor::builder().location(location).build();
    PartitionInput::builder().values(date).storage_descriptor(descriptor).build()
}

async fn with_partitions(stack: &Stack) -> Client {
    let glue = stack.glue();
    let partitions = DATES.map(|date| partition(date, &format!("s3://lake/quotes/dt={date}/")));
    let batch = glue.batch_create_partition().database_name("tickerlake").table_name("quotes");
    assert_eq!(batch.set_partition_input_list(Some(partitions.to_vec())).send().await.unwrap().errors(), []);
    glue
}

/// The dates that an expression leaves, read in pages of one.
async fn dates(glue: &Client, expression: &str, segment: Option<Segment>) -> Vec<String> {
    let partitions = glue.get_partitions().database_name("tickerlake").table_name("quotes").expression(expression);
    let mut pages = partitions.set_segment(segment).max_results(1).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().partitions.unwrap_or_default().into_iter().flat_map(|partition| partition.values.unwrap()));
    }
    found
}

#[tokio::test]
async fn partitions_are_found_by_expression_and_by_segment() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = with_partitions(&stack).await;
    assert_eq!(dates(&glue, "", None).await, DATES);
    assert_eq!(dates(&glue, "dt >= '2013-10-08' AND dt < '2013-11-01'", None).await, DATES[1..3]);
    assert_eq!(dates(&glue, "dt LIKE '2013-10-%' AND NOT dt IN ('2013-10-07')", None).await, DATES[1..3]);
    assert_eq!(dates(&glue, "dt = '1999-01-01'", None).await, Vec::<String>::new());

    let mut spread = Vec::new();
    for number in 0..3 {
        let segment = Segment::builder().segment_number(number).total_segments(3).build().unwrap();
        spread.extend(dates(&glue, "dt < '2013-11-01'", Some(segment)).await);
    }
    spread.sort();
    assert_eq!(spread, DATES[..3]);

    let unknown = glue.get_partitions().database_name("tickerlake").table_name("quotes").expression("price > 1").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_invalid_input_exception());
    let outside = Segment::builder().segment_number(3).total_segments(3).build().unwrap();
    let outside = glue.get_partitions().database_name("tickerlake").table_name("quotes").segment(outside).send().await;
    assert!(outside.unwrap_err().into_service_error().is_invalid_input_exception());
}

#[tokio::test]
async fn batches_change_what_is_there_and_name_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = with_partitions(&stack).await;
    let entry = |date: &str, to: &str| {
        let entry = BatchUpdatePartitionRequestEntry::builder().partition_value_list(date);
        entry.partition_input(partition(to, "s3://lake/moved/")).build().unwrap()
    };
    let update = glue.batch_update_partition().database_name("tickerlake").table_name("quotes");
    let update = update.entries(entry(DATES[0], DATES[0])).entries(entry("1999-01-01", "1999-01-01")).entries(entry(DATES[1], DATES[2]));
    let errors = update.send().await.unwrap().errors.unwrap_or_default();
    let told: Vec<_> =
        errors.iter().map(|error| (error.partition_value_list(), error.error_detail().unwrap().error_code().unwrap())).collect();
    let (missing, taken) = (["1999-01-01".to_owned()], [DATES[1].to_owned()]);
    assert_eq!(told, [(&missing[..], "EntityNotFoundException"), (&taken[..], "AlreadyExistsException")]);
    let location = async |date: &str| {
        let found = glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values(date).send().await.unwrap();
        found.partition.unwrap().storage_descriptor.unwrap().location.unwrap()
    };
    assert_eq!(location(DATES[0]).await, "s3://lake/moved/");
    assert_eq!(location(DATES[1]).await, "s3://lake/quotes/dt=2013-10-08/", "as it was");

    // Without values in the input the partition keeps its own.
    let input = PartitionInput::builder().storage_descriptor(StorageDescriptor::builder().location("s3://lake/again/").build()).build();
    let update = glue.update_partition().database_name("tickerlake").table_name("quotes").partition_value_list(DATES[0]);
    update.partition_input(input).send().await.unwrap();
    assert_eq!(location(DATES[0]).await, "s3://lake/again/");

    let wanted = [DATES[3], "1999-01-01"].map(|date| PartitionValueList::builder().values(date).build().unwrap());
    let delete = glue.batch_delete_partition().database_name("tickerlake").table_name("quotes");
    let deleted = delete.set_partitions_to_delete(Some(wanted.to_vec())).send().await.unwrap();
    assert_eq!(deleted.errors()[0].partition_values(), ["1999-01-01"]);
    assert_eq!(dates(&glue, "", None).await, DATES[..3]);
}

#[tokio::test]
async fn databases_and_tables_are_changed_found_by_pattern_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), seed).await;
    let glue = stack.glue();
    let input = |name: &str, description: &str| DatabaseInput::builder().name(name).description(description).build().unwrap();
    glue.create_database().database_input(input("Other", "one")).send().await.unwrap();
    glue.update_database().name("other").database_input(input("other", "two")).send().await.unwrap();
    let found = glue.get_database().name("OTHER").send().await.unwrap().database.unwrap();
    assert_eq!((found.name(), found.description()), ("other", Some("two")));
    let renamed = glue.update_database().name("other").database_input(input("third", "")).send().await.unwrap_err();
    assert!(renamed.into_service_error().is_invalid_input_exception());

    for name in ["trades", "trades_old", "bars"] {
        let table = TableInput::builder().name(name).build().unwrap();
        glue.create_table().database_name("other").table_input(table).send().await.unwrap();
    }
    let tables = glue.get_tables().database_name("other").expression("trades*").send().await.unwrap().table_list.unwrap();
    assert_eq!(tables.iter().map(|table| table.name()).collect::<Vec<_>>(), ["trades", "trades_old"]);
    let deleted = glue.batch_delete_table().database_name("other").tables_to_delete("bars").tables_to_delete("none").send().await.unwrap();
    assert_eq!(deleted.errors()[0].table_name(), Some("none"));
    glue.delete_database().name("other").send().await.unwrap();
    let gone = glue.get_tables().database_name("other").send().await.unwrap_err().into_service_error();
    assert!(gone.is_entity_not_found_exception());
    assert!(glue.delete_database().name("other").send().await.unwrap_err().into_service_error().is_entity_not_found_exception());
}

#[tokio::test]
async fn crawlers_are_listed_and_deleted_and_their_crawls_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start_with(folder.path(), |config| {
        seed(config);
        config.crawl_takes_at_least = std::time::Duration::from_secs(3600);
    })
    .await;
    let glue = stack.glue();
    assert_eq!(glue.list_crawlers().send().await.unwrap().crawler_names(), [CRAWLER]);
    let found = glue.batch_get_crawlers().crawler_names(CRAWLER).crawler_names("nobody").send().await.unwrap();
    assert_eq!((found.crawlers()[0].name(), found.crawlers_not_found()), (Some(CRAWLER), &["nobody".to_owned()][..]));

    glue.start_crawler().name(CRAWLER).send().await.unwrap();
    let busy = glue.delete_crawler().name(CRAWLER).send().await.unwrap_err().into_service_error();
    assert!(busy.is_crawler_running_exception());
    let crawls = async |state: &str| {
        let filter = CrawlsFilter::builder().field_name(FieldName::State).filter_operator(FilterOperator::Eq).field_value(state).build();
        glue.list_crawls().crawler_name(CRAWLER).filters(filter).send().await.unwrap().crawls.unwrap_or_default().len()
    };
    assert_eq!((crawls("RUNNING").await, crawls("STOPPED").await), (1, 0));
    glue.stop_crawler().name(CRAWLER).send().await.unwrap();
    while glue.get_crawler().name(CRAWLER).send().await.unwrap().crawler.unwrap().state() != Some(&CrawlerState::Ready) {}
    assert_eq!((crawls("RUNNING").await, crawls("STOPPED").await), (0, 1));
    glue.delete_crawler().name(CRAWLER).send().await.unwrap();
    let gone = glue.get_crawler().name(CRAWLER).send().await.unwrap_err().into_service_error();
    assert!(gone.is_entity_not_found_exception());
}

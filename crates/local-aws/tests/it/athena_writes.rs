//! The statements that change the catalog or write files, and what they must not touch.

use aws_sdk_athena::types::QueryExecution;

use crate::athena::{ended, failure, lake, query, start};
use crate::stack::{LAKE, Stack};

/// Runs a statement to its good end.
async fn run(stack: &Stack, sql: &str) -> QueryExecution {
    let id = start(stack, sql).await;
    let execution = ended(stack, &id).await;
    let status = execution.status().unwrap();
    assert_eq!(status.state().map(|state| state.as_str()), Some("SUCCEEDED"), "{sql}: {:?}", status.state_change_reason());
    execution
}

async fn keys(stack: &Stack, bucket: &str, prefix: &str) -> Vec<String> {
    let listed = stack.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

/// The addresses in the manifest.
async fn manifest(stack: &Stack, execution: &QueryExecution) -> Vec<String> {
    let location = execution.statistics().unwrap().data_manifest_location().unwrap();
    let (bucket, key) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
    let object = stack.s3().get_object().bucket(bucket).key(key).send().await.unwrap();
    let text = String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let days = "SELECT dt, count(*) FROM quotes GROUP BY dt ORDER BY dt";
    let lines = query(&stack, "MSCK REPAIR TABLE quotes").await;
    assert_eq!(lines.last().map(String::as_str), Some("Repair: Added partition to metastore quotes:dt=2013-10-09"));
    assert_eq!(query(&stack, days).await[1..], ["2013-10-07|3", "2013-10-08|2", "2013-10-09|3"]);
    assert!(query(&stack, "MSCK REPAIR TABLE `quotes`;").await.is_empty());

    run(&stack, "ALTER TABLE quotes DROP PARTITION (dt = '2013-10-09'), PARTITION (dt = '2013-10-08')").await;
    assert_eq!(query(&stack, days).await[1..], ["2013-10-07|3"]);
    assert_eq!(keys(&stack, LAKE, "quotes/dt=2013-10-09/").await.len(), 1, "the files stay");
    assert!(failure(&stack, "ALTER TABLE quotes DROP PARTITION (dt = '2013-10-09')").await.contains("Partition not found"));
    run(&stack, "ALTER TABLE quotes DROP IF EXISTS PARTITION (dt = '2013-10-09')").await;

    // Where a partition's rows lie is for the statement to say.
    run(&stack, &format!("ALTER TABLE quotes ADD PARTITION (dt = '2013-10-10') LOCATION 's3://{LAKE}/quotes/dt=2013-10-09/'")).await;
    run(&stack, "ALTER TABLE quotes ADD IF NOT EXISTS PARTITION (dt = '2013-10-07') PARTITION (dt = '2013-10-08')").await;
    assert_eq!(query(&stack, days).await[1..], ["2013-10-07|3", "2013-10-08|2", "2013-10-10|3"]);
    assert!(failure(&stack, "ALTER TABLE quotes ADD PARTITION (dt = '2013-10-07')").await.contains("AlreadyExistsException"));
    assert!(failure(&stack, "ALTER TABLE quotes ADD PARTITION (day = '2013-10-07')").await.contains("partition columns of quotes: dt"));
    for location in ["file:///etc/", "s3://lake/../../etc/", "/etc/"] {
        let reason = failure(&stack, &format!("ALTER TABLE quotes ADD PARTITION (dt = 'x') LOCATION '{location}'")).await;
        assert!(reason.starts_with("INVALID_LOCATION: "), "{reason}");
    }
    assert!(failure(&stack, "MSCK REPAIR TABLE trades").await.contains("Table not found trades"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_unloaded_are_the_rows_selected() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let unload = format!(
        "UNLOAD (SELECT symbol, price, event_time, event_time_ns, conditions, dt FROM quotes) TO 's3://{LAKE}/export/one' \
         WITH (format = 'PARQUET', compression = 'SNAPPY', partitioned_by = ARRAY['dt'])"
    );
    let execution = run(&stack, &unload).await;
    assert_eq!(execution.substatement_type(), Some("UNLOAD"));
    let written = manifest(&stack, &execution).await;
    assert_eq!(written.len(), 2);
    assert!(written[0].starts_with(&format!("s3://{LAKE}/export/one/dt=2013-10-07/")), "{written:?}");
    // A folder that holds files takes no more.
    assert!(failure(&stack, &unload).await.starts_with("HIVE_PATH_ALREADY_EXISTS"));
    for (to, with, reason) in [
        ("s3://nowhere/x/", "format = 'PARQUET'", "NoSuchBucket"),
        ("s3://lake/../../tmp/", "format = 'PARQUET'", "INVALID_LOCATION"),
        ("/tmp/x", "format = 'PARQUET'", "INVALID_LOCATION"),
        ("s3://lake/export/two/", "format = 'ORC'", "NOT_SUPPORTED"),
        ("s3://lake/export/two/", "format = 'PARQUET', bucket_count = 4", "bucket_count"),
        ("s3://lake/export/two/", "format = 'PARQUET', partitioned_by = ARRAY['symbol']", "HIVE_COLUMN_ORDER_MISMATCH"),
    ] {
        let failed = failure(&stack, &format!("UNLOAD (SELECT symbol, price FROM quotes) TO '{to}' WITH ({with})")).await;
        assert!(failed.contains(reason), "{to} {with}: {failed}");
    }
    assert!(keys(&stack, LAKE, "export/two/").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_of_a_query_holds_its_rows_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let execution = run(
        &stack,
        "CREATE TABLE closes WITH (format = 'PARQUET', partitioned_by = ARRAY['dt']) AS \
         SELECT symbol, max_by(price, event_time) AS price, max(event_time) AS at, count(*) AS n, dt FROM quotes GROUP BY symbol, dt",
    )
    .await;
    assert_eq!(execution.substatement_type(), Some("CREATE_TABLE_AS_SELECT"));
    assert!(execution.result_configuration().unwrap().output_location().unwrap().contains("/tables/"));
    assert_eq!(manifest(&stack, &execution).await.len(), 2);
    let results = stack.athena().get_query_results().query_execution_id(execution.query_execution_id().unwrap()).send().await.unwrap();
    assert_eq!(results.update_count(), Some(4));
    let rows = "SELECT symbol, price, at, n, dt FROM closes ORDER BY dt, symbol";
    assert_eq!(
        query(&stack, rows).await[1..],
        [
            "AAPL|488.000001|2013-10-07 13:30:00.000|2|2013-10-07",
            "MSFT|33.300000|2013-10-07 13:31:00.500|1|2013-10-07",
            "AAPL|480.000000|2013-10-08 08:00:00.000|1|2013-10-08",
            "IBM|181.250000|2013-10-08 08:01:00.000|1|2013-10-08",
        ]
    );
    let columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'closes' ORDER BY ordinal_position";
    assert_eq!(query(&stack, columns).await[1..3], ["symbol|varchar", "price|decimal(18,6)"]);

    assert!(failure(&stack, "CREATE TABLE closes AS SELECT 1 AS x").await.starts_with("TABLE_ALREADY_EXISTS"));
    run(&stack, "CREATE TABLE IF NOT EXISTS closes AS SELECT 1 AS x").await;
    assert!(failure(&stack, "CREATE TABLE t AS SELECT 1").await.starts_with("MISSING_COLUMN_NAME"));
    assert!(
        failure(&stack, "CREATE TABLE t WITH (external_location = 's3://lake/t/') AS SELECT 1 AS x").await.contains("centralized output")
    );
    assert!(failure(&stack, "CREATE TABLE t AS SELECT array_agg(symbol) AS s FROM quotes").await.contains("Unsupported Hive type"));

    run(&stack, "DROP TABLE closes").await;
    assert_eq!(query(&stack, "SHOW TABLES").await, ["quotes"]);
    assert!(failure(&stack, "DROP TABLE closes").await.contains("Table not found closes"));
    run(&stack, "DROP TABLE IF EXISTS closes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_inserted_lie_in_their_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let before = keys(&stack, LAKE, "quotes/").await.len();
    run(&stack, "INSERT INTO quotes SELECT symbol, price + 1, event_time, event_time_ns, bar_seconds, NULL, '2013-10-11' FROM quotes")
        .await;
    run(&stack, "INSERT INTO quotes (dt, symbol, price) VALUES ('2013-10-07', 'NEW', 1.5), ('2013-10-11', 'NEW', 2)").await;
    assert_eq!(keys(&stack, LAKE, "quotes/").await.len(), before + 3);
    assert_eq!(
        query(&stack, "SELECT dt, count(*), sum(price), max(event_time) FROM quotes GROUP BY dt ORDER BY dt").await[1..],
        [
            "2013-10-07|4|1010.550001|2013-10-07 13:31:00.500",
            "2013-10-08|2|661.250000|2013-10-08 08:01:00.000",
            "2013-10-11|6|1677.300001|2013-10-08 08:01:00.000",
        ]
    );
    for (sql, reason) in [
        ("INSERT INTO quotes VALUES (1, 2)", "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [string, decimal"),
        ("INSERT INTO quotes (symbol, price) VALUES ('A', 'dear')", "TYPE_MISMATCH"),
        ("INSERT INTO quotes (symbol, colour) VALUES ('A', 'red')", "COLUMN_NOT_FOUND"),
        ("INSERT INTO trades VALUES (1)", "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.tickerlake.trades' does not exist"),
        ("INSERT INTO quotes (symbol, price) VALUES ('A', 10000000000000)", ""),
    ] {
        let failed = failure(&stack, sql).await;
        assert!(failed.starts_with(reason), "{sql}: {failed}");
    }
    assert_eq!(keys(&stack, LAKE, "quotes/").await.len(), before + 3, "a statement that fails leaves no file");
}

//! Athena through its own SDK, over Parquet files that went in through S3 and partitions registered with Glue.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use aws_sdk_athena::operation::start_query_execution::StartQueryExecutionError;
use aws_sdk_athena::types::{QueryExecution, QueryExecutionContext, QueryExecutionState, ResultConfiguration};
use aws_sdk_glue::types::{PartitionInput, StorageDescriptor};
use local_aws::athena::{NamedQuery, WorkGroup};
use local_aws::gateway::GatewayConfig;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::stack::{LAKE, Row, Stack, parquet, seed, write};

pub(crate) const GROUP: &str = "tickerlake";

pub(crate) type Cells = Vec<Vec<Option<String>>>;

pub(crate) fn configure(config: &mut GatewayConfig) {
    seed(config);
    config.buckets.push("results".to_owned());
    config.athena.work_groups = vec![WorkGroup {
        name: GROUP.to_owned(),
        output_location: Some("s3://results/queries/".to_owned()),
        enforced: true,
        bytes_scanned_cutoff: None,
    }];
    config.athena.named_queries = vec![NamedQuery {
        name: "latest".to_owned(),
        description: None,
        database: "tickerlake".to_owned(),
        query: "SELECT 1".to_owned(),
        work_group: GROUP.to_owned(),
    }];
}

/// Two registered days, and one that lies in S3 but is not registered.
pub(crate) async fn lake(folder: &std::path::Path) -> Stack {
    filled(Stack::start_with(folder, configure).await).await
}

async fn filled(stack: Stack) -> Stack {
    let at = |symbol, price, event_time, conditions| Row { symbol, price, event_time, conditions };
    let first = [
        at("AAPL", 487_750_000, 1_381_132_859_999, Some("@, \"T\"")),
        at("AAPL", 488_000_001, 1_381_152_600_000, None),
        at("MSFT", 33_300_000, 1_381_152_660_500, Some("")),
    ];
    let second = [at("AAPL", 480_000_000, 1_381_219_200_000, None), at("IBM", 181_250_000, 1_381_219_260_000, None)];
    stack.put("quotes/dt=2013-10-07/a.parquet", parquet(&first)).await;
    stack.put("quotes/dt=2013-10-08/a.parquet", parquet(&second)).await;
    stack.put("quotes/dt=2013-10-08/_hidden.parquet", parquet(&first)).await;
    stack.put("quotes/dt=2013-10-09/a.parquet", parquet(&first)).await;
    register(&stack, "2013-10-07").await;
    register(&stack, "2013-10-08").await;
    stack
}

async fn register(stack: &Stack, date: &str) {
    let location = format!("s3://{LAKE}/quotes/dt={date}/");
    let descriptor = StorageDescriptor::builder().location(location).build();
    let partition = PartitionInput::builder().values(date).storage_descriptor(descriptor).build();
    let create = stack.glue().create_partition().database_name("tickerlake").table_name("quotes");
    create.partition_input(partition).send().await.unwrap();
}

/// Starts a statement that is SQL.
pub(crate) async fn start(stack: &Stack, sql: &str) -> String {
    let context = QueryExecutionContext::builder().database("tickerlake").catalog("AwsDataCatalog").build();
    let start = stack.athena().start_query_execution().query_string(sql).work_group(GROUP);
    start.query_execution_context(context).send().await.unwrap().query_execution_id.unwrap()
}

pub(crate) async fn ended(stack: &Stack, id: &str) -> QueryExecution {
    loop {
        let execution = stack.athena().get_query_execution().query_execution_id(id).send().await.unwrap();
        let execution = execution.query_execution.unwrap();
        let state = execution.status().unwrap().state().unwrap();
        if !matches!(state, QueryExecutionState::Queued | QueryExecutionState::Running) {
            return execution;
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn rows(stack: &Stack, id: &str) -> Cells {
    let mut pages = stack.athena().get_query_results().query_execution_id(id).max_results(2).into_paginator().send();
    let mut cells = Vec::new();
    while let Some(page) = pages.next().await {
        for row in page.unwrap().result_set.unwrap().rows.unwrap() {
            cells.push(row.data.unwrap().into_iter().map(|datum| datum.var_char_value).collect());
        }
    }
    cells
}

/// The rows with the header, each value or `-` for null, joined by `|`.
pub(crate) async fn query(stack: &Stack, sql: &str) -> Vec<String> {
    let id = start(stack, sql).await;
    let execution = ended(stack, &id).await;
    let status = execution.status().unwrap();
    assert_eq!(status.state(), Some(&QueryExecutionState::Succeeded), "{sql}: {:?}", status.state_change_reason());
    let joined =
        |row: Vec<Option<String>>| row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join("|");
    rows(stack, &id).await.into_iter().map(joined).collect()
}

/// Why a statement failed, or was refused.
pub(crate) async fn failure(stack: &Stack, sql: &str) -> String {
    let context = QueryExecutionContext::builder().database("tickerlake").build();
    let started = stack.athena().start_query_execution().query_string(sql).work_group(GROUP).query_execution_context(context).send().await;
    let id = match started {
        Ok(started) => started.query_execution_id.unwrap(),
        Err(error) => match error.into_service_error() {
            StartQueryExecutionError::InvalidRequestException(refused) => return format!("refused: {}", refused.message.unwrap()),
            other => panic!("{sql}: {other}"),
        },
    };
    let execution = ended(stack, &id).await;
    let status = execution.status().unwrap();
    assert_eq!(status.state(), Some(&QueryExecutionState::Failed), "{sql}");
    status.state_change_reason().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_the_registered_partitions_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let count = "SELECT dt, count(*) AS n FROM quotes GROUP BY dt ORDER BY dt";
    assert_eq!(query(&stack, count).await, ["dt|n", "2013-10-07|3", "2013-10-08|2"]);
    register(&stack, "2013-10-09").await;
    assert_eq!(query(&stack, count).await, ["dt|n", "2013-10-07|3", "2013-10-08|2", "2013-10-09|3"]);
    let row = Row { symbol: "NEW", price: 1, event_time: 0, conditions: None };
    stack.put("quotes/dt=2013-10-09/b.parquet", parquet(&[row])).await;
    assert_eq!(query(&stack, "SELECT count(*) FROM quotes").await, ["_col0", "9"]);
    for name in ["tickerlake.quotes", "\"awsdatacatalog\".\"tickerlake\".\"quotes\"", "AwsDataCatalog.TickerLake.QUOTES"] {
        assert_eq!(query(&stack, &format!("SELECT count(*) AS n FROM {name}")).await, ["n", "9"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_written_as_athena_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let sql = "SELECT * FROM quotes WHERE dt = '2013-10-07' ORDER BY event_time";
    let id = start(&stack, sql).await;
    let execution = ended(&stack, &id).await;
    let output = format!("s3://results/queries/{id}.csv");
    assert_eq!(execution.result_configuration().unwrap().output_location(), Some(output.as_str()));
    let object = stack.s3().get_object().bucket("results").key(format!("queries/{id}.csv")).send().await.unwrap();
    let csv = String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap();
    assert_eq!(
        csv,
        "\"symbol\",\"price\",\"event_time\",\"event_time_ns\",\"bar_seconds\",\"conditions\",\"dt\"\n\
         \"AAPL\",\"487.750000\",\"2013-10-07 08:00:59.999\",\"1381132859999000000\",\"60\",\"@, \"\"T\"\"\",\"2013-10-07\"\n\
         \"AAPL\",\"488.000001\",\"2013-10-07 13:30:00.000\",\"1381152600000000000\",\"60\",,\"2013-10-07\"\n\
         \"MSFT\",\"33.300000\",\"2013-10-07 13:31:00.500\",\"1381152660500000000\",\"60\",\"\",\"2013-10-07\"\n"
    );
    let cells = rows(&stack, &id).await;
    assert_eq!(cells.len(), 4);
    assert_eq!(cells[1][5].as_deref(), Some("@, \"T\""));
    assert_eq!((cells[2][5].as_deref(), cells[3][5].as_deref()), (None, Some("")));

    let page = stack.athena().get_query_results().query_execution_id(&id).send().await.unwrap();
    let columns = page.result_set().unwrap().result_set_metadata().unwrap().column_info();
    let types: Vec<_> = columns.iter().map(|column| (column.r#type(), column.precision(), column.scale())).collect();
    assert_eq!(
        types,
        [
            ("varchar", 2_147_483_647, 0),
            ("decimal", 18, 6),
            ("timestamp", 3, 0),
            ("bigint", 19, 0),
            ("integer", 10, 0),
            ("varchar", 2_147_483_647, 0),
            ("varchar", 2_147_483_647, 0),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_partitions_that_the_filter_leaves_are_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let scanned = async |sql: &str| {
        let id = start(&stack, sql).await;
        ended(&stack, &id).await.statistics().unwrap().data_scanned_in_bytes().unwrap()
    };
    // What is read of a column: its chunks, and no footer.
    let chunk = |key: &str, column: usize| {
        let file = std::fs::File::open(folder.path().join("s3").join(LAKE).join(key)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        reader.metadata().row_groups().iter().map(|group| group.column(column).compressed_size()).sum::<i64>()
    };
    let (first, second) = (chunk("quotes/dt=2013-10-07/a.parquet", 1), chunk("quotes/dt=2013-10-08/a.parquet", 1));
    assert_eq!(scanned("SELECT count(*) FROM quotes").await, 0);
    assert_eq!(scanned("SELECT max(price) FROM quotes").await, first + second);
    assert_eq!(
        scanned("SELECT max(price), min(symbol) FROM quotes WHERE dt = '2013-10-08'").await,
        second + chunk("quotes/dt=2013-10-08/a.parquet", 0)
    );
    assert_eq!(scanned("SELECT max(price) FROM quotes WHERE dt BETWEEN '2013-10-01' AND '2013-10-07'").await, first);
    assert_eq!(scanned("SELECT max(price) FROM quotes WHERE dt >= date_format(date '2013-10-08', '%Y-%m-%d')").await, second);
    assert_eq!(scanned("SELECT max(price) FROM quotes WHERE dt = '1999-01-01'").await, 0);
    assert_eq!(query(&stack, "SELECT count(*) AS n FROM quotes WHERE dt = '1999-01-01'").await, ["n", "0"]);
    assert_eq!(query(&stack, "SELECT symbol FROM quotes WHERE dt = '2013-10-08' AND price > 200 LIMIT 1").await, ["symbol", "AAPL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_lacks_a_column_reads_as_null() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let symbol: ArrayRef = Arc::new(StringArray::from(vec!["OLD"]));
    stack.put("quotes/dt=2013-10-08/b.parquet", write(vec![("symbol", symbol)])).await;
    assert_eq!(
        query(&stack, "SELECT symbol, price, event_time FROM quotes WHERE symbol = 'OLD'").await,
        ["symbol|price|event_time", "OLD|-|-"]
    );
    // Nulls come last in either direction, as in Trino.
    for direction in ["ASC", "DESC"] {
        let sorted = query(&stack, &format!("SELECT symbol FROM quotes ORDER BY price {direction}")).await;
        assert_eq!(sorted.last().map(String::as_str), Some("OLD"), "{direction}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trinos_functions() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    for (select, expected) in [
        ("max_by(price, event_time)", "33.300000"),
        ("min_by(symbol, price)", "MSFT"),
        ("max_by(conditions, event_time) FILTER (WHERE symbol = 'AAPL')", "-"),
        ("count_if(price > 100)", "2"),
        ("count_if(price > 100) FILTER (WHERE conditions IS NULL)", "1"),
        ("approx_percentile(price, 0.5)", "487.75"),
        ("approx_percentile(event_time_ns, 1.0)", "1381152660500000000"),
        ("arbitrary(dt)", "2013-10-07"),
        ("array_agg(symbol ORDER BY event_time DESC)[1]", "MSFT"),
        ("element_at(array_agg(symbol ORDER BY event_time), -1)", "MSFT"),
        ("element_at(array_agg(symbol), 9)", "-"),
        ("date_diff('second', min(event_time), max(event_time))", "19800"),
        ("date_diff('minute', min(event_time), max(event_time))", "330"),
        ("date_format(min(event_time), '%Y-%m-%d %H:%i:%s')", "2013-10-07 08:00:59"),
        ("date_format(min(event_time) AT TIME ZONE 'America/New_York', '%H:%i')", "04:00"),
        ("date_trunc('minute', min(event_time))", "2013-10-07 08:00:00.000"),
        ("min(event_time) AT TIME ZONE 'America/New_York'", "2013-10-07 04:00:59.999 America/New_York"),
        ("CAST(min(event_time) AT TIME ZONE 'America/New_York' AS timestamp)", "2013-10-07 04:00:59.999"),
        ("CAST(timestamp '2013-10-08 02:00:00' AT TIME ZONE 'America/New_York' AS date)", "2013-10-07"),
        ("hour(min(event_time) AT TIME ZONE 'America/New_York')", "4"),
        ("year(min(event_time))", "2013"),
        ("date_add('day', -1, min(event_time))", "2013-10-06 08:00:59.999"),
        ("date_add('month', 1, date '2013-01-31')", "2013-02-28"),
        ("from_unixtime(1381132859.999)", "2013-10-07 08:00:59.999 UTC"),
        ("to_unixtime(min(event_time))", "1.381132859999E9"),
        ("try_cast('x' AS integer)", "-"),
        ("date(min(event_time))", "2013-10-07"),
        ("if(count(*) > 2, 'many', 'few')", "many"),
        ("sum(price)", "1009.050001"),
        ("CAST(1 AS double) / 3", "0.3333333333333333"),
        ("CAST(max(price) AS varchar)", "488.000001"),
        ("min(event_time) > timestamp '2013-10-07 08:00:59'", "true"),
    ] {
        let sql = format!("SELECT {select} AS x FROM quotes WHERE dt = '2013-10-07' LIMIT 1");
        assert_eq!(query(&stack, &sql).await, ["x".to_owned(), expected.to_owned()], "{select}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_of_queries() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    assert_eq!(
        query(
            &stack,
            "WITH ranked AS (SELECT symbol, price, row_number() OVER (PARTITION BY symbol ORDER BY event_time DESC) AS n \
             FROM quotes) SELECT symbol, price, n FROM ranked WHERE n = 1 ORDER BY symbol;"
        )
        .await,
        ["symbol|price|n", "AAPL|480.000000|1", "IBM|181.250000|1", "MSFT|33.300000|1"]
    );
    assert_eq!(
        query(&stack, "SELECT symbol, count(*), max_by(price, event_time) FROM quotes GROUP BY symbol ORDER BY count(*) DESC, 1").await,
        ["symbol|_col1|_col2", "AAPL|3|480.000000", "IBM|1|181.250000", "MSFT|1|33.300000"]
    );
    assert_eq!(
        query(&stack, "SELECT symbol, price - lag(price) OVER (PARTITION BY symbol ORDER BY event_time) AS step FROM quotes WHERE symbol = 'AAPL' ORDER BY event_time").await,
        ["symbol|step", "AAPL|-", "AAPL|0.250001", "AAPL|-8.000001"]
    );
    assert_eq!(query(&stack, "VALUES (1, 'a')").await.len(), 2);
    assert_eq!(query(&stack, "SHOW TABLES").await, ["quotes"]);
    assert_eq!(query(&stack, "SHOW DATABASES").await, ["tickerlake"]);
    assert_eq!(query(&stack, "SHOW PARTITIONS quotes").await, ["dt=2013-10-07", "dt=2013-10-08"]);
    assert_eq!(query(&stack, "DESCRIBE tickerlake.quotes").await[1], "price|decimal(18,6)|-");
    assert!(query(&stack, "EXPLAIN SELECT * FROM quotes").await.len() > 1);
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tickerlake'";
    assert_eq!(query(&stack, tables).await, ["table_name", "quotes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_query_says_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    for (sql, reason) in [
        (
            "SELECT prize FROM quotes",
            "COLUMN_NOT_FOUND: line 1:8: Column 'prize' cannot be resolved or requester is not authorized to access requested resources",
        ),
        ("SELECT 1\n FROM trades", "TABLE_NOT_FOUND: line 2:7: Table 'awsdatacatalog.tickerlake.trades' does not exist"),
        ("SELECT nope(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered"),
        ("SELECT 1 / 0 FROM quotes", "DIVISION_BY_ZERO: Division by zero"),
    ] {
        assert_eq!(failure(&stack, sql).await, reason);
    }
    // What is no SQL starts no execution.
    let reason = failure(&stack, "SELEC 1").await;
    assert!(reason.starts_with("refused: line 1:1: "), "{reason}");
    let reason = failure(&stack, "SELECT 1 FROM quotes WHERE )").await;
    assert!(reason.starts_with("refused: line 1:"), "{reason}");
    assert!(failure(&stack, "SELECT 1; SELECT 2").await.starts_with("refused: "));
    // The result of a query that failed cannot be fetched.
    let id = start(&stack, "SELECT nope(1)").await;
    ended(&stack, &id).await;
    let results = stack.athena().get_query_results().query_execution_id(id).send().await.unwrap_err();
    assert!(results.into_service_error().is_invalid_request_exception());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_cannot_reach_other_files_or_change_anything() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let outside = folder.path().join("outside.parquet");
    let row = Row { symbol: "SECRET", price: 1, event_time: 0, conditions: None };
    std::fs::write(&outside, parquet(&[row])).unwrap();
    let outside = outside.to_str().unwrap();
    let target = folder.path().join("written");
    for sql in [
        format!("COPY quotes TO '{}' STORED AS PARQUET", target.display()),
        format!("COPY (SELECT * FROM quotes) TO '{}'", target.display()),
        format!("EXPLAIN ANALYZE COPY quotes TO '{}' STORED AS CSV", target.display()),
        "SELECT * INTO copied FROM quotes".to_owned(),
        "WITH a AS (SELECT 1) INSERT INTO quotes SELECT * FROM quotes".to_owned(),
        "SET datafusion.catalog.location = '/'".to_owned(),
        "RESET ALL".to_owned(),
        format!("LOAD DATA INPATH '{outside}' INTO TABLE quotes"),
    ] {
        let reason = failure(&stack, &sql).await;
        assert!(reason.starts_with("refused: "), "{sql}: {reason}");
    }
    for sql in [
        format!("CREATE EXTERNAL TABLE stolen STORED AS PARQUET LOCATION '{outside}'"),
        "CREATE VIEW v AS SELECT * FROM quotes".to_owned(),
        "CREATE DATABASE other".to_owned(),
        "DELETE FROM quotes".to_owned(),
        "ALTER TABLE quotes SET LOCATION 's3://lake/state/'".to_owned(),
        "SHOW FUNCTIONS".to_owned(),
    ] {
        let reason = failure(&stack, &sql).await;
        assert!(reason.starts_with("NOT_SUPPORTED: ") && reason.contains("Athena"), "{sql}: {reason}");
    }
    assert!(!target.exists());
    for name in [outside, &format!("file://{outside}"), "../../outside.parquet"] {
        let reason = failure(&stack, &format!("SELECT * FROM \"{name}\"")).await;
        assert!(reason.starts_with("TABLE_NOT_FOUND: "), "{name}: {reason}");
        let reason = failure(&stack, &format!("SELECT * FROM '{name}'")).await;
        assert!(!reason.is_empty(), "{name}");
    }
    for function in ["read_parquet", "read_csv", "parquet_scan", "parquet_metadata", "read_text", "glob"] {
        let reason = failure(&stack, &format!("SELECT * FROM {function}('{outside}')")).await;
        assert!(reason.contains(function), "{function}: {reason}");
    }
    // A partition's location is data too, and must not lead out of the buckets.
    let descriptor = StorageDescriptor::builder().location(format!("s3://{LAKE}/../../")).build();
    let partition = PartitionInput::builder().values("2013-10-10").storage_descriptor(descriptor).build();
    let create = stack.glue().create_partition().database_name("tickerlake").table_name("quotes");
    create.partition_input(partition).send().await.unwrap();
    let reason = failure(&stack, "SELECT count(*) FROM quotes").await;
    assert!(reason.contains("'..'"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_starts_one_query() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let athena = stack.athena();
    let token = "0123456789-0123456789-0123456789-0123456789";
    let start = |sql: &str| athena.start_query_execution().query_string(sql).work_group(GROUP).client_request_token(token);
    let first = start("SELECT 1").send().await.unwrap();
    let again = start("SELECT 1").send().await.unwrap();
    assert_eq!(first.query_execution_id(), again.query_execution_id());
    let other = start("SELECT 2").send().await.unwrap_err().into_service_error();
    assert!(other.is_invalid_request_exception());
    let listed = athena.list_query_executions().work_group(GROUP).send().await.unwrap();
    assert_eq!(listed.query_execution_ids(), [first.query_execution_id().unwrap()]);
    let batch = athena.batch_get_query_execution().query_execution_ids(first.query_execution_id().unwrap());
    assert_eq!(batch.send().await.unwrap().query_executions().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_stopped_is_cancelled_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let numbers = "(SELECT * FROM generate_series(1, 100000))";
    let id = start(&stack, &format!("SELECT sum(a.value * b.value) FROM {numbers} a CROSS JOIN {numbers} b")).await;
    stack.athena().stop_query_execution().query_execution_id(&id).send().await.unwrap();
    let execution = ended(&stack, &id).await;
    assert_eq!(execution.status().unwrap().state(), Some(&QueryExecutionState::Cancelled));
    // The slot is free again.
    assert_eq!(query(&stack, "SELECT 1 AS one").await, ["one", "1"]);
    crate::support::eventually("the result's file is gone", || std::fs::read_dir(folder.path().join("athena")).unwrap().count() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_groups_named_queries_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let athena = stack.athena();
    let group = athena.get_work_group().work_group(GROUP).send().await.unwrap().work_group.unwrap();
    let output = group.configuration().unwrap().result_configuration().unwrap().output_location();
    assert_eq!(output, Some("s3://results/queries/"));
    assert_eq!(athena.list_work_groups().send().await.unwrap().work_groups().len(), 2);
    assert!(athena.get_work_group().work_group("none").send().await.is_err());

    let nowhere = athena.start_query_execution().query_string("SELECT 1").send().await.unwrap_err();
    assert!(nowhere.into_service_error().is_invalid_request_exception());
    let location = ResultConfiguration::builder().output_location("s3://results/mine/").build();
    let mine = athena.start_query_execution().query_string("SELECT 1").result_configuration(location).send().await.unwrap();
    let mine = ended(&stack, mine.query_execution_id().unwrap()).await;
    assert!(mine.result_configuration().unwrap().output_location().unwrap().starts_with("s3://results/mine/"));

    let ids = athena.list_named_queries().work_group(GROUP).send().await.unwrap();
    let named = athena.get_named_query().named_query_id(&ids.named_query_ids()[0]).send().await.unwrap().named_query.unwrap();
    assert_eq!((named.name(), named.query_string()), ("latest", "SELECT 1"));
    let batch = athena.batch_get_named_query().named_query_ids(&ids.named_query_ids()[0]).send().await.unwrap();
    assert_eq!(batch.named_queries().len(), 1);

    let databases = athena.list_databases().catalog_name("AwsDataCatalog").send().await.unwrap();
    assert_eq!(databases.database_list()[0].name(), "tickerlake");
    let table = athena.get_table_metadata().catalog_name("AwsDataCatalog").database_name("tickerlake").table_name("quotes");
    let table = table.send().await.unwrap().table_metadata.unwrap();
    assert_eq!(table.columns()[1].r#type(), Some("decimal(18,6)"));
    assert_eq!(table.partition_keys()[0].name(), "dt");
    let tables = athena.list_table_metadata().catalog_name("AwsDataCatalog").database_name("tickerlake");
    assert_eq!(tables.send().await.unwrap().table_metadata_list().len(), 1);
}

//! What clients do around a query: parameters, prepared statements, limits, descriptions.

use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState};

use crate::athena::{GROUP, ended, failure, lake, query, rows};
use crate::stack::{LAKE, Stack};

async fn with_parameters(stack: &Stack, sql: &str, parameters: &[&str]) -> Result<Vec<Vec<Option<String>>>, String> {
    let context = QueryExecutionContext::builder().database("tickerlake").build();
    let start = stack.athena().start_query_execution().query_string(sql).work_group(GROUP).query_execution_context(context);
    let parameters = parameters.iter().map(|text| (*text).to_owned()).collect();
    let id = start.set_execution_parameters(Some(parameters)).send().await.unwrap().query_execution_id.unwrap();
    let execution = ended(stack, &id).await;
    let status = execution.status().unwrap();
    if status.state() != Some(&QueryExecutionState::Succeeded) {
        return Err(status.state_change_reason().unwrap().to_owned());
    }
    Ok(rows(stack, &id).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn question_marks_take_values_that_are_no_sql() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let sql = "SELECT count(*) AS n FROM quotes WHERE symbol = ? AND dt = ? LIMIT ?";
    let found = with_parameters(&stack, sql, &["'AAPL'", "'2013-10-07'", "5"]).await.unwrap();
    assert_eq!(found[1], [Some("2".to_owned())]);
    // A text with quotes in it stays a text.
    let nothing = with_parameters(&stack, sql, &["'x'' OR ''1''=''1'", "'2013-10-07'", "5"]).await.unwrap();
    assert_eq!(nothing[1], [Some("0".to_owned())]);
    let few = with_parameters(&stack, sql, &["'AAPL'"]).await.unwrap_err();
    assert_eq!(few, "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected 3 but found 1");
    assert!(with_parameters(&stack, sql, &["'A'; DROP TABLE quotes", "1", "1"]).await.is_err());
    assert_eq!(query(&stack, "SHOW TABLES").await, ["quotes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    let athena = stack.athena();
    let sql = "SELECT max(price) AS p FROM quotes WHERE symbol = ?";
    athena.create_prepared_statement().statement_name("dearest").work_group(GROUP).query_statement(sql).send().await.unwrap();
    let again = athena.create_prepared_statement().statement_name("dearest").work_group(GROUP).query_statement(sql).send().await;
    assert!(again.unwrap_err().into_service_error().is_invalid_request_exception());
    let no_sql = athena.create_prepared_statement().statement_name("x").work_group(GROUP).query_statement("SELEC").send().await;
    assert!(no_sql.unwrap_err().into_service_error().is_invalid_request_exception());
    assert_eq!(query(&stack, "EXECUTE dearest USING 'MSFT'").await, ["p", "33.300000"]);

    query(&stack, "PREPARE latest FROM SELECT max(dt) AS dt FROM quotes").await;
    let listed = athena.list_prepared_statements().work_group(GROUP).send().await.unwrap();
    let names: Vec<_> = listed.prepared_statements().iter().filter_map(|statement| statement.statement_name()).collect();
    assert_eq!(names, ["dearest", "latest"]);
    stack.gateway.stop().await;

    let stack = Stack::start_with(folder.path(), crate::athena::configure).await;
    let athena = stack.athena();
    assert_eq!(query(&stack, "EXECUTE latest").await, ["dt", "2013-10-08"]);
    athena.update_prepared_statement().statement_name("latest").work_group(GROUP).query_statement("SELECT 1 AS one").send().await.unwrap();
    assert_eq!(query(&stack, "EXECUTE latest").await, ["one", "1"]);
    let found = athena.get_prepared_statement().statement_name("dearest").work_group(GROUP).send().await.unwrap();
    assert_eq!(found.prepared_statement().unwrap().query_statement(), Some(sql));
    athena.delete_prepared_statement().statement_name("dearest").work_group(GROUP).send().await.unwrap();
    let gone = athena.get_prepared_statement().statement_name("dearest").work_group(GROUP).send().await.unwrap_err();
    assert!(gone.into_service_error().is_resource_not_found_exception());
    assert!(failure(&stack, "EXECUTE dearest USING 'MSFT'").await.contains("dearest was not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_reads_more_than_its_work_group_lets_it_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let first = lake(folder.path()).await;
    first.gateway.stop().await;
    let stack = Stack::start_with(folder.path(), |config| {
        crate::athena::configure(config);
        config.athena.work_groups[0].bytes_scanned_cutoff = Some(10);
    })
    .await;
    let id = crate::athena::start(&stack, "SELECT max(price) FROM quotes").await;
    let execution = ended(&stack, &id).await;
    let status = execution.status().unwrap();
    assert_eq!(status.state(), Some(&QueryExecutionState::Cancelled));
    assert_eq!(status.state_change_reason(), Some("Bytes scanned limit was exceeded"));
    assert!(execution.statistics().unwrap().data_scanned_in_bytes().unwrap() > 10);
    // What reads no column is within any limit.
    assert_eq!(query(&stack, "SELECT count(*) AS n FROM quotes").await, ["n", "5"]);
    let group = stack.athena().get_work_group().work_group(GROUP).send().await.unwrap().work_group.unwrap();
    let configuration = group.configuration().unwrap();
    assert_eq!((configuration.bytes_scanned_cutoff_per_query(), configuration.enforce_work_group_configuration()), (Some(10), Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_described_in_statements_and_operations() {
    let folder = tempfile::tempdir().unwrap();
    let stack = lake(folder.path()).await;
    assert_eq!(query(&stack, "SHOW TABLES IN tickerlake 'quo*'").await, ["quotes"]);
    assert!(query(&stack, "SHOW TABLES 'bars*'").await.is_empty());
    let created = query(&stack, "SHOW CREATE TABLE `quotes`;").await.join("\n");
    assert!(created.starts_with("CREATE EXTERNAL TABLE `tickerlake.quotes`(\n  `symbol` string, \n  `price` decimal(18,6), "), "{created}");
    assert!(created.contains("PARTITIONED BY ( \n  `dt` string)"), "{created}");
    assert!(created.contains(&format!("LOCATION\n  's3://{LAKE}/quotes/'")), "{created}");
    let described = query(&stack, "DESCRIBE quotes").await;
    assert_eq!(described.last().map(String::as_str), Some("dt|string|-"));
    assert!(described.iter().any(|line| line.starts_with("# Partition Information")));
    let columns = "SELECT column_name, data_type, ordinal_position, extra_info FROM information_schema.columns \
                   WHERE table_name = 'quotes' AND ordinal_position IN (2, 3, 7) ORDER BY ordinal_position";
    assert_eq!(query(&stack, columns).await[1..], ["price|decimal(18,6)|2|-", "event_time|timestamp(3)|3|-", "dt|varchar|7|partition key"]);
    assert_eq!(
        query(&stack, "SELECT schema_name FROM information_schema.schemata ORDER BY 1").await[1..],
        ["information_schema", "tickerlake"]
    );
    assert!(failure(&stack, "SELECT * FROM information_schema.df_settings").await.starts_with("TABLE_NOT_FOUND"));

    let athena = stack.athena();
    let catalogs = athena.list_data_catalogs().send().await.unwrap();
    assert_eq!(catalogs.data_catalogs_summary()[0].catalog_name(), Some("AwsDataCatalog"));
    assert!(athena.get_data_catalog().name("AwsDataCatalog").send().await.is_ok());
    assert!(athena.get_data_catalog().name("other").send().await.is_err());
    let database = athena.get_database().catalog_name("AwsDataCatalog").database_name("tickerlake").send().await.unwrap();
    assert_eq!(database.database().unwrap().name(), "tickerlake");
    let none = athena.get_database().catalog_name("AwsDataCatalog").database_name("other").send().await.unwrap_err();
    assert!(none.into_service_error().is_metadata_exception());
    assert_eq!(athena.list_engine_versions().send().await.unwrap().engine_versions().len(), 1);
}

//! The ordinary AWS clients against the printed endpoint.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState};
use aws_sdk_s3::config::Credentials;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::harness::Tickerlake;
use crate::lake::BUCKET;

/// A client's configuration, by what the stack prints.
pub(crate) async fn config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .load()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_glue_and_athena_answer_the_sdks() {
    let folder = tempfile::tempdir().unwrap();
    let mut local = Tickerlake::local(folder.path(), &["--every", "200ms", "--symbols", "AAPL,BRK.B"]);
    let config = config(&local.endpoints().aws).await;
    local.wait_for("the latest quotes", |lines| lines.iter().any(|line| line.ends_with("  simulated")).then_some(()));

    let s3 = aws_sdk_s3::Client::new(&config);
    let listed = s3.list_objects_v2().bucket(BUCKET).prefix("quotes/").send().await.unwrap();
    let object = listed.contents().first().unwrap();
    let key = object.key().unwrap();
    let day = key.strip_prefix("quotes/dt=").and_then(|rest| rest.split('/').next()).unwrap();
    let got = s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    assert_eq!(got.e_tag(), object.e_tag());
    let bytes = got.body.collect().await.unwrap().into_bytes();
    assert_eq!(i64::try_from(bytes.len()).ok(), object.size());
    let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let symbols: BTreeSet<String> = batches
        .flat_map(|batch| batch.unwrap()["symbol"].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(!symbols.is_empty() && symbols.iter().all(|symbol| ["AAPL", "BRK.B"].contains(&symbol.as_str())), "{symbols:?}");

    let glue = aws_sdk_glue::Client::new(&config);
    let partitions = glue.get_partitions().database_name("tickerlake").table_name("quotes").send().await.unwrap();
    let found = partitions.partitions().iter().find(|partition| partition.values() == [day]).unwrap();
    let location = found.storage_descriptor().and_then(|descriptor| descriptor.location()).unwrap();
    assert_eq!(location.trim_end_matches('/'), format!("s3://{BUCKET}/quotes/dt={day}"));

    let athena = aws_sdk_athena::Client::new(&config);
    let ask = async |sql: &str| {
        let context = QueryExecutionContext::builder().database("tickerlake").build();
        let start = athena.start_query_execution().query_string(sql).query_execution_context(context).work_group("tickerlake");
        let id = start.send().await.unwrap().query_execution_id.unwrap();
        let ended = loop {
            let execution = athena.get_query_execution().query_execution_id(&id).send().await.unwrap().query_execution.unwrap();
            let status = execution.status.unwrap();
            if !matches!(status.state, Some(QueryExecutionState::Queued | QueryExecutionState::Running)) {
                break status;
            }
            tokio::task::yield_now().await;
        };
        if ended.state != Some(QueryExecutionState::Succeeded) {
            return Err(ended.state_change_reason.unwrap());
        }
        let results = athena.get_query_results().query_execution_id(&id).send().await.unwrap();
        let rows = results.result_set.unwrap().rows.unwrap().into_iter();
        Ok(rows.map(|row| row.data.unwrap().into_iter().map(|datum| datum.var_char_value.unwrap()).collect()).collect::<Vec<Vec<_>>>())
    };
    let rows = ask("SELECT symbol, source FROM quotes GROUP BY symbol, source ORDER BY symbol").await.unwrap();
    assert_eq!(rows, [["symbol", "source"], ["AAPL", "simulated"], ["BRK.B", "simulated"]]);
    let refused = ask("SELECT colour FROM quotes").await.unwrap_err();
    assert!(refused.contains("COLUMN_NOT_FOUND"), "{refused}");

    local.interrupt();
    local.finish().succeeded();
}

//! A gateway over a folder of its own, the real SDK's clients to it, and Parquet files to put there.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::Schema;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::glue::CrawlerStateChange;
use local_aws::protocol::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use local_aws::s3::ObjectCreated;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

/// The bucket of every test.
pub(crate) const LAKE: &str = "lake";

/// A running gateway and who it told what.
pub(crate) struct Stack {
    pub(crate) gateway: Gateway,
    pub(crate) created: Arc<Mutex<Vec<ObjectCreated>>>,
    pub(crate) crawled: Arc<Mutex<Vec<CrawlerStateChange>>>,
}

impl Stack {
    /// Over a folder, with the bucket.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, |_| {}).await
    }

    /// As [`Stack::start`], with a configuration that differs.
    pub(crate) async fn start_with(folder: &Path, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let created = Arc::new(Mutex::new(Vec::new()));
        let crawled = Arc::new(Mutex::new(Vec::new()));
        let mut config = GatewayConfig::new(folder.to_owned());
        config.buckets = vec![LAKE.to_owned()];
        let told = Arc::clone(&created);
        config.on_object_created = Arc::new(move |object| told.lock().unwrap().push(object));
        let told = Arc::clone(&crawled);
        config.on_crawler_state_change = Arc::new(move |change| told.lock().unwrap().push(change));
        change(&mut config);
        Self { gateway: Gateway::start(config).await.unwrap(), created, crawled }
    }

    fn sdk(&self, secret: &str) -> SdkConfig {
        let credentials = Credentials::new(ACCESS_KEY_ID, secret, None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.gateway.endpoint_url())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.sdk(SECRET_ACCESS_KEY))
    }

    pub(crate) fn s3_with_secret(&self, secret: &str) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.sdk(secret))
    }

    pub(crate) fn glue(&self) -> aws_sdk_glue::Client {
        aws_sdk_glue::Client::new(&self.sdk(SECRET_ACCESS_KEY))
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk(SECRET_ACCESS_KEY))
    }

    pub(crate) fn athena(&self) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(&self.sdk(SECRET_ACCESS_KEY))
    }

    /// Puts an object.
    pub(crate) async fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        let body = ByteStream::from(content.into());
        self.s3().put_object().bucket(LAKE).key(key).body(body).send().await.unwrap();
    }
}

/// A row of the test table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) symbol: &'static str,
    /// Millionths.
    pub(crate) price: i128,
    /// Milliseconds since 1970.
    pub(crate) event_time: i64,
    pub(crate) conditions: Option<&'static str>,
}

/// A Parquet file of the test table.
pub(crate) fn parquet(rows: &[Row]) -> Vec<u8> {
    let price = Decimal128Array::from_iter_values(rows.iter().map(|row| row.price));
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.event_time));
    write(vec![
        ("symbol", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.symbol)))),
        ("price", Arc::new(price.with_precision_and_scale(18, 6).unwrap())),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("event_time_ns", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.event_time * 1_000_000)))),
        ("bar_seconds", Arc::new(Int32Array::from_iter_values(rows.iter().map(|_| 60)))),
        ("conditions", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.conditions)))),
    ])
}

/// A Parquet file of any columns.
pub(crate) fn write(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::new(Schema::clone(&batch.schema())), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The definition of the test database.
pub(crate) fn database() -> Value {
    json!({ "DatabaseInput": { "Name": "tickerlake" } })
}

/// The definition of the test table, as a template has it.
pub(crate) fn table() -> Value {
    json!({ "DatabaseName": "tickerlake", "TableInput": {
        "Name": "quotes",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{ "Name": "dt", "Type": "string" }],
        "StorageDescriptor": {
            "Location": format!("s3://{LAKE}/quotes/"),
            "SerdeInfo": { "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
            "Columns": [
                { "Name": "symbol", "Type": "string" },
                { "Name": "price", "Type": "decimal(18,6)" },
                { "Name": "event_time", "Type": "timestamp" },
                { "Name": "event_time_ns", "Type": "bigint" },
                { "Name": "bar_seconds", "Type": "int" },
                { "Name": "conditions", "Type": "string" },
            ],
        },
    } })
}

/// The definition of the test crawler, as a template has it.
pub(crate) fn crawler() -> Value {
    json!({
        "Name": "tickerlake-quotes",
        "Role": "arn:aws:iam::000000000000:role/crawler",
        "Targets": { "CatalogTargets": [{ "DatabaseName": "tickerlake", "Tables": ["quotes"] }] },
        "SchemaChangePolicy": { "UpdateBehavior": "LOG", "DeleteBehavior": "LOG" },
    })
}

/// All three.
pub(crate) fn seed(config: &mut GatewayConfig) {
    config.glue.databases = vec![database()];
    config.glue.tables = vec![table()];
    config.glue.crawlers = vec![crawler()];
}

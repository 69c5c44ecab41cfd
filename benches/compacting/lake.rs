//! A lake of one day.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_glue::types::{Column, DatabaseInput, PartitionInput, SerDeInfo, StorageDescriptor, TableInput};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use benches::event;
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::lambda::{FunctionConfig, Lambda, LambdaConfig};
use quotes::calendar::Calendar;
use quotes::columns::Row;
use quotes::keys::{self, LogId};
use quotes::schema;

use crate::{Arguments, Result};

/// The lake's bucket.
pub(crate) const BUCKET: &str = "lake";
/// The table's database.
pub(crate) const DATABASE: &str = "tickerlake";
/// The day, long over whatever the clock says.
pub(crate) const DAY: &str = "2013-10-07";

const PARTITIONS: usize = 3;

/// S3, Glue, Athena and Lambda of this machine.
pub(crate) struct Lake {
    pub(crate) athena: aws_sdk_athena::Client,
    s3: aws_sdk_s3::Client,
    glue: aws_sdk_glue::Client,
    gateway: Gateway,
    lambda: Lambda,
}

/// What the function took.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(crate) duration: Duration,
    /// The process's peak resident memory.
    pub(crate) peak: u64,
}

impl Lake {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let mut config = GatewayConfig::new(folder.join("data"));
        config.buckets = vec![BUCKET.to_owned()];
        let gateway = Gateway::start(config).await?;
        let lambda = Lambda::start(LambdaConfig { port: 0, logs: folder.join("logs") }).await?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(gateway.endpoint_url())
            .credentials_provider(Credentials::new("local", "local", None, None, "bench"))
            .load()
            .await;
        let (s3, glue) = (aws_sdk_s3::Client::new(&config), aws_sdk_glue::Client::new(&config));
        let lake = Self { athena: aws_sdk_athena::Client::new(&config), s3, glue, gateway, lambda };
        lake.declare().await?;
        Ok(lake)
    }

    /// Writes quotes as `write-quotes` would, in many files.
    pub(crate) async fn write(&self, rows: usize, rows_in_a_file: usize) -> Result<()> {
        let (quotes, date, mut calendar) = (event::quotes(rows), DAY.parse()?, Calendar::new());
        for partition in 0..PARTITIONS {
            let log = LogId { cluster: "unknown".into(), topic: "quotes".into(), partition: i32::try_from(partition)? };
            let of_partition: Vec<_> = quotes.iter().skip(partition).step_by(PARTITIONS).collect();
            for (n, chunk) in of_partition.chunks(rows_in_a_file).enumerate() {
                let first = i64::try_from(n * rows_in_a_file)?;
                let rows: Vec<_> = chunk.iter().zip(first..).map(|(quote, offset)| Row { quote, offset }).collect();
                let last = first + i64::try_from(chunk.len())? - 1;
                let bytes = write_quotes::parquet::encode(&log, rows, last, &mut calendar)?;
                self.s3.put_object().bucket(BUCKET).key(keys::data(&log, date, first)).body(ByteStream::from(bytes)).send().await?;
            }
        }
        Ok(())
    }

    /// The files that a query of the day reads, and their bytes.
    pub(crate) async fn files(&self) -> Result<(usize, i64)> {
        let partition = self.glue.get_partition().database_name(DATABASE).table_name(schema::TABLE).partition_values(DAY).send().await?;
        let location = partition.partition.and_then(|partition| partition.storage_descriptor).and_then(|descriptor| descriptor.location);
        let location = location.ok_or("the day has no location")?;
        let prefix = location.trim_start_matches("s3://").trim_start_matches(BUCKET).trim_start_matches('/');
        let (mut files, mut bytes) = (0, 0);
        let mut pages = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents().iter().filter(|object| object.key().is_some_and(|key| key.ends_with(".parquet"))) {
                files += 1;
                bytes += object.size().unwrap_or(0);
            }
        }
        Ok((files, bytes))
    }

    /// Invokes the function for the day.
    pub(crate) async fn compact(&self, arguments: &Arguments) -> Result<Compacted> {
        let mut environment: BTreeMap<String, String> = self.gateway.client_environment().into_iter().collect();
        let settings = [("LAKE_BUCKET", BUCKET), ("GLUE_DATABASE", DATABASE), ("GLUE_TABLE", schema::TABLE)];
        let settings = settings.into_iter().chain([("DAYS_BACK", "7"), ("SETTLE", "1h"), ("REMOVE_AFTER", "never")]);
        environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let function = self.lambda.add(FunctionConfig {
            name: "compact-day".to_owned(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:compact-day".to_owned(),
            binary: arguments.binaries.join("compact-day").canonicalize()?,
            environment,
            timeout: Duration::from_secs(900),
            memory_mb: 512,
            concurrency: 1,
            observer: None,
        })?;
        let invocation = function.invoke(format!(r#"{{"day":"{DAY}"}}"#).into()).await?;
        if let Some((error_type, message)) = invocation.outcome.error() {
            return Err(format!("compact-day: {error_type}: {message}").into());
        }
        Ok(Compacted { duration: invocation.duration, peak: invocation.peak_memory.unwrap_or_default() })
    }

    pub(crate) async fn stop(self) {
        self.lambda.stop().await;
        self.gateway.stop().await;
    }

    /// The table with the contract's columns, and the day's partition.
    async fn declare(&self) -> Result<()> {
        let database = DatabaseInput::builder().name(DATABASE).build()?;
        self.glue.create_database().database_input(database).send().await?;
        let location = format!("s3://{BUCKET}/{}", keys::QUOTES_PREFIX);
        let key = Column::builder().name(schema::PARTITION_COLUMN).r#type("string").build()?;
        let table = TableInput::builder().name(schema::TABLE).partition_keys(key).storage_descriptor(descriptor(&location)?).build()?;
        self.glue.create_table().database_name(DATABASE).table_input(table).send().await?;
        let descriptor = descriptor(&format!("{location}dt={DAY}/"))?;
        let partition = PartitionInput::builder().values(DAY).storage_descriptor(descriptor).build();
        self.glue.create_partition().database_name(DATABASE).table_name(schema::TABLE).partition_input(partition).send().await?;
        Ok(())
    }
}

fn descriptor(location: &str) -> Result<StorageDescriptor> {
    let column = |column: &schema::Column| Column::builder().name(column.name).r#type(column.column_type.glue()).build();
    let columns = schema::COLUMNS.iter().map(column).collect::<std::result::Result<Vec<_>, _>>()?;
    let serde = SerDeInfo::builder().serialization_library("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe").build();
    Ok(StorageDescriptor::builder()
        .set_columns(Some(columns))
        .location(location)
        .input_format("org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat")
        .output_format("org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat")
        .serde_info(serde)
        .build())
}

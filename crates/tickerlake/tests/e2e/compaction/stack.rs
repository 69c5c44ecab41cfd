//! A lake at rest, opened for `compact-day`: S3 with its faults, Glue, and the function's own binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use local_aws::gateway::{Gateway, GatewayConfig};
use local_aws::lambda::{Function, FunctionConfig, Invocation, Lambda, LambdaConfig, Outcome};
use local_aws::s3::faults::{Armed, Fault, Faults, Operation, Trigger};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::aws_clients;
use crate::lake::{self, BUCKET, Row};

/// The day of most of the recording's rows.
pub(super) const DAY: &str = "2013-10-07";

/// How the functions of a test are set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) settle: &'static str,
    pub(super) remove_after: &'static str,
    pub(super) timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { settle: "0s", remove_after: "never", timeout: Duration::from_secs(60) }
    }
}

/// The stand-ins over one data folder.
pub(super) struct Stack {
    pub(super) faults: Faults,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) glue: aws_sdk_glue::Client,
    data: PathBuf,
    gateway: Gateway,
    lambda: Lambda,
}

impl Stack {
    pub(super) async fn open(data: &Path) -> Self {
        let config = GatewayConfig::new(data.to_owned());
        let faults = config.faults.clone();
        let gateway = Gateway::start(config).await.unwrap();
        let lambda = Lambda::start(LambdaConfig { port: 0, logs: data.join("logs") }).await.unwrap();
        let config = aws_clients::config(&gateway.endpoint_url()).await;
        let (s3, glue) = (aws_sdk_s3::Client::new(&config), aws_sdk_glue::Client::new(&config));
        Self { faults, s3, glue, data: data.to_owned(), gateway, lambda }
    }

    /// A function with one environment, running the binary beside the command.
    pub(super) fn function(&self, name: &str, settings: Settings) -> Function {
        let mut environment: BTreeMap<String, String> = self.gateway.client_environment().into_iter().collect();
        let settings_of = [
            ("LAKE_BUCKET", BUCKET),
            ("GLUE_DATABASE", "tickerlake"),
            ("GLUE_TABLE", "quotes"),
            ("DAYS_BACK", "3"),
            ("SETTLE", settings.settle),
            ("REMOVE_AFTER", settings.remove_after),
        ];
        environment.extend(settings_of.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let config = FunctionConfig {
            name: name.to_owned(),
            arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
            binary: Path::new(env!("CARGO_BIN_EXE_tickerlake")).with_file_name("compact-day"),
            environment,
            timeout: settings.timeout,
            memory_mb: 512,
            concurrency: 1,
            observer: None,
        };
        self.lambda.add(config).unwrap()
    }

    /// Sets a fault on the function's writes below `compacted/`, from the `n`th on.
    pub(super) fn fault(&self, n: usize, fault: Fault) -> Armed {
        let trigger =
            Trigger { operation: Operation::Put, bucket: BUCKET.to_owned(), key_prefix: "compacted/".to_owned(), after: n, times: 1 };
        self.faults.arm(trigger, fault)
    }

    /// Where readers of a day are led, as a key prefix.
    pub(super) async fn folder(&self, day: &str) -> String {
        let request = self.glue.get_partition().database_name("tickerlake").table_name("quotes").partition_values(day);
        let location = request.send().await.unwrap().partition.unwrap().storage_descriptor.unwrap().location.unwrap();
        format!("{}/", location.strip_prefix(&format!("s3://{BUCKET}/")).unwrap().trim_end_matches('/'))
    }

    /// The files that a query of a day reads.
    pub(super) async fn files(&self, day: &str) -> Vec<PathBuf> {
        let folder = self.data.join("s3").join(BUCKET).join(self.folder(day).await);
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).map_or_else(|_| Vec::new(), |files| files.map(|file| file.unwrap().path()).collect());
        files.retain(|file| !file.file_name().unwrap().to_str().unwrap().starts_with(['_', '.']));
        files.sort();
        files
    }

    /// The rows that a query of a day sees, by where they came from.
    pub(super) async fn rows(&self, day: &str) -> Vec<Row> {
        sorted(self.files(day).await.iter().flat_map(|file| lake::rows_of(file)).collect())
    }

    /// The day's files as they were written.
    pub(super) fn originals(&self, day: &str) -> Vec<String> {
        let folder = format!("dt={day}");
        let files = lake::parquet_files(&self.data).into_iter().filter(|file| file.parent().unwrap().ends_with(&folder));
        files.map(|file| lake::key(&self.data, &file)).collect()
    }

    /// Takes an object away, and answers its bytes: to let it land again later.
    pub(super) async fn take(&self, key: &str) -> Vec<u8> {
        let got = self.s3.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        let bytes = got.body.collect().await.unwrap().to_vec();
        self.s3.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
        bytes
    }

    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) {
        self.s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes)).send().await.unwrap();
    }

    pub(super) async fn close(self) {
        self.lambda.stop().await;
        self.gateway.stop().await;
    }
}

/// The rows in the order of where they came from.
pub(super) fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    let place =
        |row: &Row| (lake::text(row, "kafka_cluster").to_owned(), lake::number(row, "kafka_partition"), lake::number(row, "kafka_offset"));
    rows.sort_by_key(place);
    rows
}

/// The event by hand.
pub(super) fn by_hand(day: &str) -> bytes::Bytes {
    json!({ "day": day }).to_string().into()
}

/// Compacts a day, and answers what the function says of it.
pub(super) async fn compact(function: &Function, day: &str) -> Value {
    let invocation = function.invoke(by_hand(day)).await.unwrap();
    let answer = success(&invocation);
    assert!(answer["days"].as_array().unwrap().len() <= 1, "{answer}");
    answer["days"][0].clone()
}

pub(super) fn success(invocation: &Invocation) -> Value {
    match &invocation.outcome {
        Outcome::Success(answer) => serde_json::from_slice(answer).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// What a run that must fail says: whether another run can help, and why.
pub(super) async fn refusal(function: &Function, day: &str) -> (String, String) {
    match function.invoke(by_hand(day)).await.unwrap().outcome {
        Outcome::FunctionError { error_type, error_message } => (error_type, error_message),
        other => panic!("{other:?}"),
    }
}

/// Kills a function's processes.
pub(super) fn kill(function: &Function) {
    for process in function.processes() {
        let _ = kill_process_group(Pid::from_raw(process).unwrap(), Signal::KILL);
    }
}

/// A copy of a lake, to be treated badly.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

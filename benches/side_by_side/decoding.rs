//! Runs the two decoders, each in a process of its own, on the same event.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Arguments, Result};

/// What a decoder says of itself. `F` is what only the Rust one says.
#[derive(Debug, Deserialize)]
pub(crate) struct Decoded<F> {
    /// Records in the event.
    pub(crate) records: u32,
    /// The file's size.
    pub(crate) bytes: u64,
    /// From the event to the file.
    pub(crate) decode_ms: f64,
    /// The least that it can take.
    pub(crate) floor: F,
}

impl<F> Decoded<F> {
    pub(crate) fn each_us(&self) -> f64 {
        self.decode_ms * 1000.0 / f64::from(self.records)
    }
}

/// What nobody could leave out.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Floor {
    pub(crate) event_ms: f64,
    pub(crate) base64_ms: f64,
    pub(crate) parse_ms: f64,
    pub(crate) zstd_ms: f64,
}

impl Floor {
    pub(crate) fn sum(self) -> f64 {
        self.event_ms + self.base64_ms + self.parse_ms + self.zstd_ms
    }
}

/// Both decoders on one event.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) rust: Decoded<Floor>,
    pub(crate) python: Decoded<Option<Floor>>,
}

/// Where the decoders are and where their files go.
pub(crate) struct Decoder<'a> {
    arguments: &'a Arguments,
    folder: &'a Path,
    script: PathBuf,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(arguments: &'a Arguments, folder: &'a Path) -> Self {
        Self { arguments, folder, script: Path::new(env!("CARGO_MANIFEST_DIR")).join("python/decode.py") }
    }

    /// Both decoders with every column; fails if their files do not hold the same rows.
    pub(crate) fn compare(&self, name: &str, event: &str) -> Result<Compared> {
        let compared = self.run(name, event, "full")?;
        let mut command = Command::new(&self.arguments.python);
        command.arg(&self.script).arg("--same").arg(self.file(name, "rust.parquet")).arg(self.file(name, "python.parquet"));
        #[derive(Deserialize)]
        struct Same {
            same: bool,
            differ: Vec<String>,
        }
        match json(command)? {
            Same { same: true, .. } => Ok(compared),
            Same { differ, .. } => Err(format!("the files of the two functions differ in {differ:?}").into()),
        }
    }

    /// Python with the seven columns that the event's few fields fill; write-quotes always has all.
    pub(crate) fn compare_short(&self, name: &str, event: &str) -> Result<Compared> {
        self.run(name, event, "short")
    }

    fn run(&self, name: &str, event: &str, columns: &str) -> Result<Compared> {
        let file = self.file(name, "json");
        std::fs::write(&file, event)?;
        let times = self.arguments.times.to_string();
        let mut rust = Command::new(self.arguments.binaries.join("decode"));
        rust.arg(&file).arg(self.file(name, "rust.parquet")).arg(&times);
        let mut python = Command::new(&self.arguments.python);
        python.arg(&self.script).arg(&file).arg(self.file(name, "python.parquet")).arg(&times).arg(columns);
        Ok(Compared { rust: json(rust)?, python: json(python)? })
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }
}

/// Runs a program and reads the JSON that it prints.
fn json<T: DeserializeOwned>(mut command: Command) -> Result<T> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

//! The command as a child process: what it prints, as it prints it, and how it ends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::processes::{self, Process};

/// The longest that anything is waited for: only a failing test takes that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// The functions that must lie beside the command.
pub(crate) const FUNCTIONS: [&str; 5] = ["fetch-quotes", "write-quotes", "start-crawler", "check-freshness", "compact-day"];

/// Looks again and again until there is something to be seen.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A running `tickerlake`. Dropping it kills it and everything that it started.
pub(crate) struct Tickerlake {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// How a `tickerlake` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

/// Where a running stack says that it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// The AWS endpoint, a URL.
    pub(crate) aws: String,
    /// Kafka's bootstrap servers.
    pub(crate) kafka: String,
}

/// The numbers of a progress line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) fetched: u64,
    pub(crate) produced: u64,
    pub(crate) rows: u64,
    pub(crate) crawled: u64,
    pub(crate) lag: u64,
    pub(crate) quarantined: u64,
    pub(crate) not_fetched: u64,
}

impl Tickerlake {
    /// Starts `tickerlake` with these arguments, in an environment and a folder that have nothing to do with the developer's.
    pub(crate) fn start<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Self {
        Self::start_with(arguments, &[("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())])
    }

    /// The same, with these variables.
    pub(crate) fn start_with<A: AsRef<std::ffi::OsStr>>(arguments: &[A], variables: &[(String, String)]) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_tickerlake"));
        for function in FUNCTIONS {
            let beside = binary.with_file_name(function);
            assert!(beside.is_file(), "{} is missing: run `cargo build --workspace` before these tests", beside.display());
        }
        let mut child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().cloned())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdout = Stream::read(child.stdout.take().unwrap());
        let stderr = Stream::read(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Starts `tickerlake local` on free ports over this data folder.
    pub(crate) fn local(data: &Path, flags: &[&str]) -> Self {
        let fixed = ["local", "--port", "0", "--kafka-port", "0", "--data", data.to_str().unwrap()];
        Self::start(&[&fixed, flags].concat())
    }

    /// Waits until what it printed shows something.
    pub(crate) fn wait_for<T>(&mut self, what: &str, look: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            // Asked first: what it printed before it ended counts.
            let status = self.child.try_wait().unwrap();
            if let Some(found) = look(&self.stdout.lines.lock().unwrap()) {
                return found;
            }
            assert!(status.is_none(), "ended ({status:?}) before this was seen: {what}\n{}", self.printed());
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}\n{}", self.printed());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for counts, in any progress line so far, that are as they should be.
    pub(crate) fn wait_for_counts(&mut self, what: &str, is_enough: impl Fn(Counts) -> bool) -> Counts {
        self.wait_for(what, |lines| lines.iter().rev().filter_map(|line| Counts::of(line)).find(|counts| is_enough(*counts)))
    }

    /// Waits until it says where it listens.
    pub(crate) fn endpoints(&mut self) -> Endpoints {
        self.wait_for("where it listens", |lines| {
            let after = |label: &str| lines.iter().find_map(|line| line.trim_start().strip_prefix(label)?.split_whitespace().next());
            let aws = lines.iter().find_map(|line| line.split_once("AWS_ENDPOINT_URL=")?.1.split_whitespace().next())?;
            Some(Endpoints { aws: aws.to_owned(), kafka: after("Kafka ")?.to_owned() })
        })
    }

    /// The processes that it has started and that live.
    pub(crate) fn children(&self) -> Vec<Process> {
        processes::children_of(self.pid())
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// A signal to the command alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// `kill -9` of the command alone: its children must be its own affair.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it ends.
    pub(crate) fn finish(mut self) -> Ended {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "still running after {LIMIT:?}\n{}", self.printed()),
            }
            thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        Ended { code: status.code(), signal: status.signal(), stdout, stderr }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    fn printed(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Tickerlake {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Stopped first, so that it starts nothing meanwhile; its children, each in a group of its own, cannot be mistaken
            // for others as long as nobody waits for them.
            let _ = kill_process(self.pid(), Signal::STOP);
            for child in self.children() {
                let _ = kill_process_group(child.pid, Signal::KILL);
            }
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Ended {
    Tickerlake::start(arguments).finish()
}

/// The rows of a query, each column by its name.
pub(crate) fn query(data: &Path, sql: &str) -> Vec<BTreeMap<String, String>> {
    let text = run(&["query", "--data", data.to_str().unwrap(), "--format", "csv", sql]).succeeded();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// The one number that a query gives.
pub(crate) fn number(data: &Path, sql: &str) -> u64 {
    let rows = query(data, sql);
    let cells: Vec<_> = rows.iter().flat_map(BTreeMap::values).collect();
    assert_eq!(cells.len(), 1, "{sql}: {rows:?}");
    cells[0].parse().unwrap()
}

/// An audit's report and exit code.
pub(crate) fn audit(data: &Path) -> (serde_json::Value, Option<i32>) {
    let ended = run(&["audit", "--data", data.to_str().unwrap(), "--format", "json"]);
    let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (report, ended.code)
}

/// The report of an audit that must find the lake sound, against Kafka's own offsets.
pub(crate) fn sound_audit(data: &Path) -> serde_json::Value {
    let (report, code) = audit(data);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["sound"], true, "{report:#}");
    let cluster = fs::read_to_string(data.join("kafka/cluster-id")).unwrap();
    assert_eq!(report["kafka"], serde_json::json!([cluster.trim()]), "the broker's own log was asked");
    report
}

impl Ended {
    /// What it printed, when it was to end well and to have nothing to complain about.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:#?}");
        self.stdout
    }

    /// Checks that it ended with this code and one line that tells why.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, reason: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.stderr.lines().count(), 1, "one line: {self:#?}");
        assert!(self.stderr.starts_with("tickerlake: ") && self.stderr.contains(reason), "{reason:?} is not told: {self:#?}");
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(!all.contains("panicked") && !all.contains("RUST_BACKTRACE"), "{self:#?}");
    }
}

impl Counts {
    /// The numbers of a progress line; `None` for any other line.
    pub(crate) fn of(line: &str) -> Option<Self> {
        let number = |label: &str| -> Option<u64> { line.split_once(label)?.1.split_whitespace().next()?.parse().ok() };
        Some(Self {
            fetched: number("  fetched ")?,
            produced: number("  produced ")?,
            rows: number("  written ")?,
            crawled: number("  crawled ")?,
            lag: number("  lag ")?,
            quarantined: number("  quarantined ").unwrap_or(0),
            not_fetched: number("  not fetched ").unwrap_or(0),
        })
    }

    /// The numbers of the last progress line.
    pub(crate) fn last(printed: &str) -> Self {
        printed.lines().rev().find_map(Self::of).unwrap_or_else(|| panic!("no progress line: {printed}"))
    }
}

/// One of the streams that a process prints to, read by a thread so that it never waits for its reader.
struct Stream {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(pipe: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                sink.lock().unwrap().push(line.unwrap());
            }
        });
        Self { lines, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }

    /// Everything, once the last process that holds the other end has closed it.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            eventually("the end of what it prints: does a process that it started hold its output?", || reader.is_finished().then_some(()));
            reader.join().unwrap();
        }
        self.text()
    }
}

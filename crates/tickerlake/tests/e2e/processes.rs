//! Which processes live, by `/proc`.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process, told from a later one with the same id by its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// The first 15 characters of its program's name.
    pub(crate) name: String,
    started: u64,
}

impl Process {
    /// Whether it has ended. One that only waits to be waited for has.
    pub(crate) fn is_gone(&self) -> bool {
        stat(self.pid).is_none_or(|now| now.started != self.started || matches!(now.state, 'Z' | 'X'))
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

/// Processes that must end by themselves. Where they do not, the test fails, and they are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Bereaved(pub(crate) Vec<Process>);

impl Bereaved {
    /// Whether all have ended.
    pub(crate) fn are_gone(&self) -> bool {
        self.0.iter().all(Process::is_gone)
    }
}

impl Drop for Bereaved {
    fn drop(&mut self) {
        self.0.iter().filter(|process| !process.is_gone()).for_each(Process::kill);
    }
}

/// The living processes that `parent` started itself.
pub(crate) fn children_of(parent: Pid) -> Vec<Process> {
    all().filter_map(|pid| stat(pid).filter(|stat| stat.parent == parent.as_raw_nonzero().get()).map(|stat| stat.process(pid))).collect()
}

/// The living processes with this variable in their environment whose parent is no `tickerlake`: functions that outlived it.
///
/// The parent counts because a port that was given up may at once be given to another test's stack.
pub(crate) fn orphans_with(variable: &str) -> Vec<Process> {
    let is_orphan = |stat: &Stat| Pid::from_raw(stat.parent).and_then(self::stat).is_none_or(|parent| parent.name != "tickerlake");
    let has_variable = |pid: Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|pair| pair == variable.as_bytes())
    };
    all().filter_map(|pid| stat(pid).filter(|stat| has_variable(pid) && is_orphan(stat)).map(|stat| stat.process(pid))).collect()
}

fn all() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

struct Stat {
    name: String,
    state: char,
    parent: i32,
    started: u64,
}

impl Stat {
    fn process(self, pid: Pid) -> Process {
        Process { pid, name: self.name, started: self.started }
    }
}

/// `pid (name) state ppid …`, the start as the 22nd field; the name may hold blanks and brackets.
fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (head, tail) = text.rsplit_once(')')?;
    let fields: Vec<_> = tail.split_whitespace().collect();
    Some(Stat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

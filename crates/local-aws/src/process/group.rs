//! Signals to a process group, and what `/proc` knows of a process.

use rustix::process::{Pid, Signal, kill_process_group};

/// A process that leads a process group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Group(Pid);

impl Group {
    /// `None` if the process has already been waited for.
    pub(crate) fn of(child: &tokio::process::Child) -> Option<Self> {
        child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).map(Self)
    }

    pub(crate) fn id(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    pub(crate) fn freeze(self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end. A frozen process acts on that only when it is thawed.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        // The only error that can happen is that the group has ended, which its owner learns by waiting for it.
        let _ = kill_process_group(self.0, signal);
    }

    /// Peak resident memory in bytes.
    pub(crate) fn peak_memory(self) -> Option<u64> {
        peak_memory(&std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?)
    }
}

fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::peak_memory;

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(peak_memory("Name:\tx\nVmPeak:\t  100 kB\nVmHWM:\t    5120 kB\n"), Some(5_242_880));
        assert_eq!(peak_memory("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}

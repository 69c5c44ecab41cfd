//! Kills the processes when the stack itself was killed.
//!
//! `kill -9` leaves no time for cleaning up, and a frozen process does not notice that its Runtime API is gone. So a shell
//! outside the stack's process group reads from a pipe which process groups live; when the pipe closes, because the stack has
//! ended in whatever way, it kills them and ends. (PR_SET_PDEATHSIG would need unsafe code, and follows a thread, not a process.)

use super::group::Group;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
groups=
while read -r what group; do
    case $what in
        start) groups="$groups $group" ;;
        end)
            rest=
            for other in $groups; do [ "$other" = "$group" ] || rest="$rest $other"; done
            groups=$rest ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
"#;

pub(crate) struct Watchdog {
    shell: Option<Child>,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    /// Without a shell the stack works all the same, less safely.
    pub(crate) fn start() -> Self {
        let spawned = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn();
        match spawned {
            Ok(mut shell) => {
                let pipe = Mutex::new(shell.stdin.take());
                Self { shell: Some(shell), pipe }
            }
            Err(error) => {
                tracing::warn!(error = %error, "Without /bin/sh, processes may outlive a stack that is killed.");
                Self { shell: None, pipe: Mutex::new(None) }
            }
        }
    }

    pub(crate) fn started(&self, group: Group) {
        self.tell("start", group);
    }

    /// Must be told as soon as the process has ended: later its id may belong to another.
    pub(crate) fn ended(&self, group: Group) {
        self.tell("end", group);
    }

    fn tell(&self, what: &str, group: Group) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = pipe.as_mut()
            && let Err(error) = open.write_all(format!("{what} {}\n", group.id()).as_bytes())
        {
            tracing::warn!(error = %error, "The watchdog over the processes has ended.");
            *pipe = None;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut shell) = self.shell.take() {
            // It ends as soon as the pipe is closed.
            let _ = shell.wait();
        }
    }
}

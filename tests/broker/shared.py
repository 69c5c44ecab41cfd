"""What all emulated commands share: the world, the record of calls, and the power."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

WORLD = Path(os.environ.get("TEST_WORLD", "/nonexistent"))
INSTANCE = os.environ.get("TEST_INSTANCE", "")
ROOT = Path(os.environ.get("TICKERLAKE_ROOT", "/nonexistent"))
BIN = Path(os.environ.get("TEST_BIN", "/nonexistent"))
# Where Kafka itself is not wanted, its commands only leave behind what the scripts look at.
PRETENDS_KAFKA = os.environ.get("TEST_PRETENDS_KAFKA") == "yes"

# Seconds: on a busy machine several Javas start at once.
LIMIT = 240

Json = dict


def random_name() -> str:
    """32 hexadecimal digits."""
    return os.urandom(16).hex()


@contextlib.contextmanager
def world() -> Iterator[Json]:
    """What all machines share; one command at a time works on it."""
    with open(WORLD / "world.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = WORLD / "world.json"
        state = json.loads(path.read_text(encoding="utf-8"))
        yield state
        new = path.with_suffix(".new")
        new.write_text(json.dumps(state), encoding="utf-8")
        new.rename(path)


def record(name: str, arguments: list[str]) -> None:
    """Notes a call, as other users of the machine would see it."""
    line = json.dumps({"instance": INSTANCE, "command": [name, *arguments]})
    with open(WORLD / "calls", "a", encoding="utf-8") as calls:
        calls.write(line + "\n")


def changed(what: str) -> None:
    """Called after each change: the power goes, once at each kind of change, if the test wants that."""
    if os.environ.get("TEST_CUTS_POWER") != "yes":
        return
    with world() as state:
        cut = state.setdefault("cut", [])
        if what in cut:
            return
        cut.append(what)
    kill_session(os.getsid(0))


def kill_session(leader: int) -> None:
    """Kills a script with all that it started: what it limits the time of is a process group of its own. Its leader goes first, so that
    nothing more is started, and this process last, if it is one of them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The fields behind the name: state, parent, group, session.
            if int(stat.read_text(encoding="utf-8").rsplit(") ", 1)[1].split()[3]) == leader:
                found.append(int(stat.parent.name))
    for process in sorted(found, key=lambda process: (process != leader, process == os.getpid())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def put_command(folder: Path, name: str) -> None:
    """Puts one of these commands into a machine's folder."""
    path = folder / name
    # In place of a link to the real one, and not into that.
    path.unlink(missing_ok=True)
    here = Path(__file__).parents[2]
    path.write_text(
        f"#!{sys.executable} -SE\nimport sys\nsys.path.insert(0, {str(here)!r})\nfrom tests.broker import tools\ntools.main({name!r})\n", encoding="utf-8"
    )
    path.chmod(0o755)


def wait_until(what: str, is_true: Callable[[], bool]) -> None:
    """Polls a condition."""
    deadline = time.monotonic() + LIMIT
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.05)

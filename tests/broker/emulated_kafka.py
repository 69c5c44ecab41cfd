"""systemd, which starts Kafka as its unit file says; and Java, real or with what Kafka's commands would leave behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from pathlib import Path

from tests.broker.shared import BIN, PRETENDS_KAFKA, ROOT, changed, random_name, world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


def systemctl(arguments: list[str]) -> str:
    """Starts and stops Kafka as its unit file says. Nothing else runs in the background."""
    if "kafka.service" in arguments:
        stop_kafka(ROOT)
        if arguments[0] in ("start", "restart"):
            start_kafka()
            changed("kafka.service")
    return ""


def start_kafka() -> None:
    import subprocess

    unit = (ROOT / "etc/systemd/system/kafka.service").read_text(encoding="utf-8")

    def setting(name: str) -> str:
        found = re.search(rf"^{name}=(.*)$", unit, re.MULTILINE)
        return found[1] if found else sys.exit(f"kafka.service has no {name}")

    if not (ROOT / setting("AssertPathIsMountPoint").lstrip("/")).is_symlink():
        sys.exit("Assertion failed for Apache Kafka.")
    lines = (ROOT / setting("EnvironmentFile").lstrip("/")).read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    words = [settings[word[1:]] if word.startswith("$") else word for word in setting("ExecStart").split()]
    program, *rest = [re.sub(r"(^|=)/(opt|run|var)/", rf"\1{ROOT}/\2/", word) for word in words]
    pid_file = ROOT / "kafka.pid"
    if PRETENDS_KAFKA:
        pid_file.write_text("0", encoding="utf-8")
        return
    environment = {**os.environ, **settings}
    environment["JAVA_TOOL_OPTIONS"] += " -XX:TieredStopAtLevel=1"
    with open(ROOT / "kafka.log", "ab") as log:
        process = subprocess.Popen(
            [str(BIN / Path(program).name), *rest], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    pid_file.write_text(str(process.pid), encoding="utf-8")


def stop_kafka(root: Path, with_signal: int = signal.SIGTERM) -> None:
    """Ends the node that runs in this root, if one does, and waits for that."""
    pid_file = root / "kafka.pid"
    pid = int(pid_file.read_text(encoding="utf-8")) if pid_file.exists() else 0
    pid_file.unlink(missing_ok=True)
    deadline = time.monotonic() + 60
    with contextlib.suppress(ProcessLookupError):
        while pid:
            # A zombie has ended too; its parent is whoever started it.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            os.kill(pid, with_signal if time.monotonic() < deadline else signal.SIGKILL)
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            if stat.rsplit(") ", 1)[1].startswith("Z"):
                return
            time.sleep(0.05)


def java(arguments: list[str]) -> str:
    """Java, recorded; or what Kafka's commands would leave behind."""
    import shutil

    if not PRETENDS_KAFKA:
        real = shutil.which("java", path=os.environ["TEST_REAL_PATH"])
        os.execv(str(real), ["java", *arguments])
    classes = [index for index, argument in enumerate(arguments) if argument.startswith(("kafka.", "org.apache.kafka."))]
    command, rest = arguments[classes[0]].rsplit(".", 1)[1], arguments[classes[0] + 1 :]
    return KAFKA_COMMANDS.get(command, lambda _: "")(rest)


def storage_tool(arguments: list[str]) -> str:
    if arguments[0] == "random-uuid":
        return random_name()[:22] + "\n"
    place = Path(os.environ["BROKER_DATA"])
    place.mkdir()
    changed("half of format")
    cluster = next(argument.split("=", 1)[1] for argument in arguments if argument.startswith("--cluster-id="))
    (place / "meta.properties").write_text(f"cluster.id={cluster}\nnode.id={os.environ['BROKER_NODE_ID']}\n", encoding="utf-8")
    changed("format")
    return ""


def console_producer(_: list[str]) -> str:
    with world() as state:
        state.setdefault("probes", []).append(sys.stdin.read())
    changed("probe")
    return ""


def console_consumer(_: list[str]) -> str:
    with world() as state:
        sys.stdout.write("".join(state["probes"]))
    sys.stdout.flush()
    signal.pause()
    return ""


def broker_versions(_: list[str]) -> str:
    with world() as state:
        count = len(state["interfaces"])
    return "".join(f"broker-{n}:9094 (id: {n} rack: null isFenced: false) -> (\n" for n in range(1, count + 1))


def says_done(name: str) -> Callable[[list[str]], str]:
    """A command of which only that it ran matters."""

    def run(_: list[str]) -> str:
        changed(name)
        return ""

    return run


KAFKA_COMMANDS: dict[str, Callable[[list[str]], str]] = {
    "StorageTool": storage_tool,
    "ConsoleProducer": console_producer,
    "ConsoleConsumer": console_consumer,
    "BrokerApiVersionsCommand": broker_versions,
    "AclCommand": says_done("rights"),
    "ConfigCommand": says_done("passwords"),
}


def openssl(arguments: list[str]) -> str:
    """The real one, but for connections to a Kafka that is not there."""
    import shutil

    if arguments[0] == "s_client":
        if not (ROOT / "kafka.pid").exists():
            sys.exit(1)
        return ""
    real = shutil.which("openssl", path=os.environ["TEST_REAL_PATH"])
    os.execv(str(real), ["openssl", *arguments])

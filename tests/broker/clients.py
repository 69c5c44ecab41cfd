"""Kafka's clients in the tests: the Java ones, with a stack's own secrets or with others."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from tests.broker import release, shared
from tests.broker.machines import REAL_PATH, ZONE, World

HERE = Path(__file__).parent
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def settings(world: World, user: str, name: str = "", **changes: str) -> Path:
    """A file with the settings of a client that has what the stack's secrets hold, but for some changes."""
    authority = world.folder / "client-ca.pem"
    authority.write_text(world.secret("ca")["certificate"], encoding="utf-8")
    login = world.secret(user)
    told = {
        "bootstrap.servers": f"bootstrap.{ZONE}:9096",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="{login["username"]}" password="{login["password"]}";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        **{name.replace("_", "."): value for name, value in changes.items()},
    }
    path = world.folder / f"{name or user}.properties"
    new = path.with_suffix(".new")
    new.write_text("".join(f"{name}={value}\n" for name, value in told.items()), encoding="utf-8")
    new.rename(path)
    return path


@functools.lru_cache(maxsize=None)
def compiled() -> tempfile.TemporaryDirectory[str]:
    """The classes of this folder's programs, compiled once."""
    folder = tempfile.TemporaryDirectory()
    subprocess.run(["javac", "-d", folder.name, "-cp", f"{release.jars(release.version())}/*", *HERE.glob("*.java")], check=True)
    return folder


def command(world: World, program: str) -> list[str]:
    """How a program of this folder is run."""
    log = f"-Dlog4j2.configurationFile={release.BROKER / 'log4j2-commands.properties'}"
    return [*JAVA, f"-Djdk.net.hosts.file={world.hosts}", log, "-cp", f"{compiled().name}:{release.jars(release.version())}/*", program]


def attempts(world: World, *users: tuple[Path, list[str]]) -> list[dict[str, str]]:
    """What came of each user's actions: `allowed`, or a refusal. One Java for all, as most of the time is its start."""
    arguments = [word for file, actions in users for word in (str(file), *actions, "--")]
    process = subprocess.run(
        [*command(world, "Attempts"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=shared.LIMIT
    )
    came: list[dict[str, str]] = [{} for _ in users]
    for line in process.stdout.splitlines():
        user, rest = line.split(" ", 1)
        action, result = rest.rsplit(" ", 1)
        came[int(user)][action] = result
    return came


class Producer:
    """A client that produces numbers all the time, and knows which of them Kafka acknowledged."""

    def __init__(self, world: World) -> None:
        self.acknowledged = world.folder / "acknowledged"
        with open(self.acknowledged, "wb") as acknowledged, open(world.folder / "producer.log", "wb") as log:
            self.process = subprocess.Popen(
                [*command(world, "Producing"), settings(world, "producer"), "quotes"],
                stdin=subprocess.PIPE,
                stdout=acknowledged,
                stderr=log,
                start_new_session=True,
            )
        self.goes_on()

    def count(self) -> int:
        """How many it has."""
        return self.acknowledged.read_bytes().count(b"\n")

    def goes_on(self) -> None:
        """Waits until Kafka has acknowledged more."""
        wanted = self.count() + 20
        shared.wait_until("acknowledged records", lambda: self.count() >= wanted)

    def stop(self) -> set[str]:
        """Ends it, and returns what was acknowledged."""
        stdin: IO[bytes] = self.process.stdin  # type: ignore[assignment]
        stdin.write(b"\n")
        stdin.close()
        self.process.wait(timeout=shared.LIMIT)
        return set(self.acknowledged.read_text(encoding="utf-8").split())


def stored(world: World) -> set[str]:
    """All values of the topic, by the mapping's user."""
    process = subprocess.run(
        [*command(world, "Reading"), settings(world, "consumer"), "quotes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=shared.LIMIT,
    )
    return set(process.stdout.split())


def rotate_password(world: World, user: str) -> None:
    """As an operator does it."""
    bin_ = world.folder / "bin/operator"
    bin_.mkdir(parents=True, exist_ok=True)
    shared.put_command(bin_, "aws")
    (bin_ / "python3").unlink(missing_ok=True)
    (bin_ / "python3").symlink_to(sys.executable)
    environment = {**world.environment(), "PATH": f"{bin_}:{REAL_PATH}"}
    script = release.BROKER / "rotate-password.sh"
    subprocess.run(["bash", script, user, world.machines[-1].name], env=environment, check=True, stderr=subprocess.DEVNULL)

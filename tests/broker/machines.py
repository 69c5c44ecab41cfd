"""Instances, and the account that they are in, as folders."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase

from tests.broker import emulated_kafka, release, shared

# What the scripts may use: all of it is in Amazon Linux 2023's image. Nothing else is found.
REAL_COMMANDS = """
    awk bash blkid cat chmod cmp cp curl cut date df dirname flock grep gzip kill ln mkdir mktemp mv openssl python3 rm sed sha256sum
    sha512sum sleep sort stat sync tail tar tee timeout touch tr
""".split()
IN_THE_IMAGE = "aws chown dnf id ip mkfs.xfs mount mountpoint networkctl sysctl systemctl useradd xfs_growfs".split()
REAL_PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
SECRETS = {"producer": "p4sswordOfProducer0", "consumer": "p4sswordOfConsumer0"}
ZONE = "stack.internal"


class World:
    """An account with a stack: volumes, interfaces, secrets, and machines that come and go."""

    def __init__(self, test: TestCase, nodes: int = 1, kafka: bool = False, version: str = release.version()) -> None:
        self.kafka = kafka
        self.nodes = nodes
        # Each node has an address of its own, as on EC2, and with it all the usual ports.
        self.network = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.machines: list[Machine] = []
        test.addCleanup(self.stop)
        secrets = {user: [{"id": f"{user}-1", "text": json.dumps({"username": user, "password": word})}] for user, word in SECRETS.items()}
        state: dict[str, Any] = {
            "secrets": {**secrets, "ca": [], "cluster": []},
            "volumes": {},
            "interfaces": {},
            "machines": {},
            "signals": [],
            "metrics": [],
        }
        for node in (1, 2, 3):
            self.add_volume(state, f"vol-{node}")
            state["interfaces"][f"eni-{node}"] = {"holder": None, "address": f"{self.network}.{node}"}
        (self.folder / "world.json").write_text(json.dumps(state), encoding="utf-8")
        (self.folder / "calls").touch()
        self.release(version)
        hosts = [f"{self.network}.{node} {name}.{ZONE}\n" for node in range(1, nodes + 1) for name in (f"broker-{node}", "bootstrap")]
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("".join(hosts), encoding="utf-8")

    def release(self, version: str) -> None:
        """The Kafka that new instances install from now on."""
        self.version = version
        self.archive = self.folder / f"kafka_2.13-{version}.tgz"
        self.sha512 = release.archive(self.archive, release.jars(version) if self.kafka else None)

    def add_volume(self, state: dict[str, Any], name: str) -> None:
        """A blank one."""
        place = self.folder / "volumes" / name
        place.mkdir(parents=True)
        with open(place / "device", "wb") as device:
            device.truncate(32 << 20)
        state["volumes"][name] = None

    def state(self) -> dict[str, Any]:
        """What the account holds now."""
        return json.loads((self.folder / "world.json").read_text(encoding="utf-8"))

    def change(self, state: dict[str, Any]) -> None:
        """Puts another state in its place; no command may run."""
        (self.folder / "world.json").write_text(json.dumps(state), encoding="utf-8")

    def secret(self, name: str) -> dict[str, str]:
        """The newest version of a secret."""
        return json.loads(self.state()["secrets"][name][-1]["text"])

    def calls(self, *beginning: str) -> list[list[str]]:
        """The recorded commands that begin so."""
        lines = (self.folder / "calls").read_text(encoding="utf-8").splitlines()
        commands = [json.loads(line)["command"] for line in lines]
        return [command for command in commands if command[: len(beginning)] == list(beginning)]

    def machine(self, node: int = 1, **settings: str) -> Machine:
        """A new instance of a node, as UserData leaves it."""
        made = Machine(self, node, f"i-{len(self.machines) + 1}", settings)
        self.machines.append(made)
        return made

    def environment(self) -> dict[str, str]:
        """Of an operator's machine, and of all others."""
        return {
            "PATH": REAL_PATH,
            "TEST_WORLD": str(self.folder),
            "TEST_REAL_PATH": REAL_PATH,
            "TEST_PRETENDS_KAFKA": "no" if self.kafka else "yes",
            "TICKERLAKE_PAUSE": "0.2" if self.kafka else "0.02",
            "JAVA_TOOL_OPTIONS": f"-Djdk.net.hosts.file={self.hosts}",
        }

    def stop(self) -> None:
        """Ends what still runs."""
        for machine in self.machines:
            machine.power_off()


class Machine:
    """An instance: a root folder, and a folder of commands."""

    def __init__(self, world: World, node: int, name: str, settings: dict[str, str]) -> None:
        self.world, self.node, self.name = world, node, name
        self.scripts: list[subprocess.Popen[str]] = []
        self.root = world.folder / "machines" / name
        self.bin = world.folder / "bin" / name
        self.bin.mkdir(parents=True)
        for command in REAL_COMMANDS:
            # The one that runs the tests: what is called python3 may be a slow script that looks for one.
            found = sys.executable if command == "python3" else shutil.which(command, path=REAL_PATH)
            assert found, f"{command} is missing"
            (self.bin / command).symlink_to(Path(found).resolve())
        for command in IN_THE_IMAGE:
            shared.put_command(self.bin, command)
        if not world.kafka:
            shared.put_command(self.bin, "openssl")
        for folder in ("dev", "etc/systemd/system", "etc/tickerlake", "opt", "run", "var/lib/cloud/data"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "var/lib/cloud/data/instance-id").write_text(name, encoding="utf-8")
        self.put_files(settings)
        self.environment = {
            **world.environment(),
            "PATH": str(self.bin),
            "TEST_INSTANCE": name,
            "TEST_BIN": str(self.bin),
            "TICKERLAKE_ROOT": str(self.root),
        }
        state = world.state()
        state["machines"][name] = self.environment
        world.change(state)

    def put_files(self, settings: dict[str, str]) -> None:
        """What UserData puts there: broker/, with an archive of Kafka that can be had here, and what the stack tells."""
        files = self.root / "opt/tickerlake"
        shutil.copytree(release.BROKER, files)
        self.put_release(self.world.archive, self.world.sha512)
        told = {
            "STACK_NAME": "stack",
            "STACK_RESOURCE": f"Broker{self.node}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "STACK_NODE": str(self.node),
            "STACK_NODES": str(self.world.nodes),
            "STACK_ZONE": ZONE,
            "STACK_VOLUME": f"vol-{self.node}",
            "STACK_INTERFACE": f"eni-{self.node}",
            "STACK_NAT": "no",
            "STACK_NETWORK": "",
            "STACK_TOPIC": "quotes",
            "STACK_PARTITIONS": "3",
            "STACK_CONSUMER_GROUP": "stack-write-quotes",
            "STACK_RETENTION_HOURS": "168",
            "STACK_PRODUCER_SECRET": "producer",
            "STACK_CONSUMER_SECRET": "consumer",
            "STACK_CA_SECRET": "ca",
            "STACK_CLUSTER_SECRET": "cluster",
            "STACK_KAFKA_URL": "",
            **settings,
        }
        lines = "".join(f"{name}={value}\n" for name, value in told.items())
        (self.root / "etc/tickerlake/broker.env").write_text(lines, encoding="utf-8")

    def put_release(self, archive: Path, sha512: str) -> None:
        """Names this archive as Kafka's."""
        text = f"KAFKA_VERSION={self.world.version}\nKAFKA_URL=file://{archive}\nKAFKA_SHA512={sha512}\n"
        (self.root / "opt/tickerlake/kafka.release").write_text(text, encoding="utf-8")

    def start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Starts a script of the broker, with standard error in the machine's log."""
        with open(self.root / "log", "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                ["bash", self.root / "opt/tickerlake" / script, *arguments],
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.scripts.append(process)
        return process

    def run(self, script: str, *arguments: str, **environment: str) -> str:
        """Runs a script to its good end, and returns what it prints."""
        process = self.start(script, *arguments, **environment)
        printed, _ = process.communicate(timeout=shared.LIMIT)
        if process.returncode:
            print(self.log(), file=sys.stderr)
            raise AssertionError(f"{script} {' '.join(arguments)} ended with {process.returncode} on {self.name}")
        return printed

    def boot(self, **environment: str) -> None:
        """The first boot, or the next one."""
        if not (self.root / "etc/systemd/system/kafka.service").exists():
            self.run("install.sh")
        self.run("boot.sh", **environment)

    def log(self) -> str:
        """What the scripts said."""
        return (self.root / "log").read_text(encoding="utf-8")

    def cuts_kafka_off(self) -> None:
        """Kafka dies at once, and systemd starts it again."""
        emulated_kafka.stop_kafka(self.root, signal.SIGKILL)
        subprocess.run(["systemctl", "restart", "kafka.service"], env=self.environment, executable=self.bin / "systemctl", check=True)

    def power_off(self, with_signal: int = signal.SIGTERM) -> None:
        """Ends Kafka and the scripts; what is mounted or in memory is gone."""
        for script in self.scripts:
            if script.poll() is None:
                shared.kill_session(script.pid)
                script.communicate()
        self.scripts.clear()
        emulated_kafka.stop_kafka(self.root, with_signal)
        place = self.root / "var/lib/kafka"
        if place.is_symlink():
            place.unlink()
        shutil.rmtree(self.root / "run/tickerlake", ignore_errors=True)

    def terminate(self) -> None:
        """The instance goes, with all but its volume and its network interface."""
        self.power_off()
        state = self.world.state()
        state["volumes"] = {volume: None if holder == self.name else holder for volume, holder in state["volumes"].items()}
        for interface in state["interfaces"].values():
            if interface["holder"] == self.name:
                interface["holder"] = None
        self.world.change(state)
        shutil.rmtree(self.root)
        self.root.mkdir()

    def data(self) -> Path:
        """Kafka's data on the volume, mounted or not."""
        return self.world.folder / "volumes" / f"vol-{self.node}" / "files/data"

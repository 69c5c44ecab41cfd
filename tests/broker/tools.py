"""What stands in for the commands of an EC2 instance while the broker's scripts run: AWS, systemd, disks, packages.

Each machine of the tests has a folder of commands. Those of this file stand there under their own names, beside links to the real
bash, openssl, tar and so on; no other command can be found. They record how they were called, keep what they change in the world's
folder as the real ones would in AWS, and can cut the power right after a change.

A boot calls sixty of them, so modules that are slow to load are imported where they are used, and `typing` not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import struct
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

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


class Refused(Exception):
    """An error of AWS."""

    def __init__(self, code: str, operation: str) -> None:
        super().__init__(f"An error occurred ({code}) when calling the {operation} operation: see the code")


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
    os.killpg(os.getpgid(0), signal.SIGKILL)


# ---- AWS ----------------------------------------------------------------------------------------------------------------


def aws(arguments: list[str]) -> str:
    """The AWS command line, with what the scripts call of it."""
    import shutil

    service, operation = arguments[:2]
    if service == "s3":
        shutil.copy(WORLD / "buckets" / arguments[-2].removeprefix("s3://"), arguments[-1])
        return ""
    options = {name: value for name, value in zip(arguments[2:], arguments[3:]) if name.startswith("--")}
    if arguments[2:3] == ["command-executed"]:
        return ""
    answer = OPERATIONS[service, operation](options)
    if "--query" in options:
        return as_text(queried(answer, options["--query"]))
    return json.dumps(answer)


def queried(answer: Any, query: str) -> Any:
    """As much of JMESPath as the scripts use: a path, at its end perhaps a list of paths."""
    for part in re.findall(r"\[\d+\]|\[[^\]]+\]|\w+", query):
        if answer is None:
            return None
        if re.fullmatch(r"\[\d+\]", part):
            index = int(part[1:-1])
            answer = answer[index] if index < len(answer) else None
        elif part.startswith("["):
            return [queried(answer, path.strip()) for path in part[1:-1].split(",")]
        else:
            answer = answer.get(part)
    return answer


def as_text(value: Any) -> str:
    """As `--output text` prints it."""
    return "\t".join(map(as_text, value)) if isinstance(value, list) else str(value)


def describe_volumes(options: dict[str, str]) -> Json:
    with world() as state:
        holder = state["volumes"][options["--volume-ids"]]
    return {"Volumes": [{"Attachments": [{"InstanceId": holder}] if holder else []}]}


def attach_volume(options: dict[str, str]) -> Json:
    volume = options["--volume-id"]
    with world() as state:
        if state["volumes"][volume]:
            raise Refused("VolumeInUse", "AttachVolume")
        state["volumes"][volume] = options["--instance-id"]
    place = ROOT / "dev/disk/by-id"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '', 1)}").symlink_to(WORLD / "volumes" / volume / "device")
    changed("attach-volume")
    return {}


def describe_interfaces(options: dict[str, str]) -> Json:
    with world() as state:
        interface = state["interfaces"][options["--network-interface-ids"]]
    attachment = {"Attachment": {"InstanceId": interface["holder"]}} if interface["holder"] else {}
    return {"NetworkInterfaces": [{"PrivateIpAddress": interface["address"], **attachment}]}


def attach_interface(options: dict[str, str]) -> Json:
    with world() as state:
        interface = state["interfaces"][options["--network-interface-id"]]
        if interface["holder"]:
            raise Refused("InvalidNetworkInterface.InUse", "AttachNetworkInterface")
        interface["holder"] = options["--instance-id"]
    changed("attach-network-interface")
    return {}


def get_secret(options: dict[str, str]) -> Json:
    with world() as state:
        versions = state["secrets"][options["--secret-id"]]
    if not versions:
        raise Refused("ResourceNotFoundException", "GetSecretValue")
    return {"VersionId": versions[-1]["id"], "SecretString": versions[-1]["text"]}


def put_secret(options: dict[str, str]) -> Json:
    """A token names a version: the same again is the same version, another content under it is refused."""
    text = Path(options["--secret-string"].removeprefix("file://")).read_text(encoding="utf-8").rstrip("\n")
    token = options.get("--client-request-token", random_name())
    if not 32 <= len(token) <= 64:
        raise Refused("InvalidParameterException", "PutSecretValue")
    with world() as state:
        versions = state["secrets"][options["--secret-id"]]
        for version in versions:
            if version["id"] == token and version["text"] != text:
                raise Refused("ResourceExistsException", "PutSecretValue")
        if token not in [version["id"] for version in versions]:
            versions.append({"id": token, "text": text})
        number = len(versions)
    changed(f"put-secret-value {options['--secret-id']} {number}")
    return {}


def put_metrics(options: dict[str, str]) -> Json:
    with world() as state:
        state["metrics"].append({"namespace": options["--namespace"], "data": json.loads(options["--metric-data"])})
    return {}


def send_command(options: dict[str, str]) -> Json:
    """Runs the command on the machine, as SSM's agent would."""
    import subprocess

    commands = json.loads(options["--parameters"].removeprefix("commands="))
    with world() as state:
        environment = state["machines"][options["--instance-ids"]]
    for command in commands:
        command = command.replace("/opt/", f"{environment['TICKERLAKE_ROOT']}/opt/")
        subprocess.run(["bash", "-c", command], env=environment, check=True, stdin=subprocess.DEVNULL)
    return {"Command": {"CommandId": "1"}}


OPERATIONS: dict[tuple[str, str], Callable[[dict[str, str]], Json]] = {
    ("ec2", "describe-volumes"): describe_volumes,
    ("ec2", "attach-volume"): attach_volume,
    ("ec2", "describe-network-interfaces"): describe_interfaces,
    ("ec2", "attach-network-interface"): attach_interface,
    ("secretsmanager", "get-secret-value"): get_secret,
    ("secretsmanager", "put-secret-value"): put_secret,
    ("secretsmanager", "get-random-password"): lambda _: {"RandomPassword": random_name() + "Aa"},
    ("cloudwatch", "put-metric-data"): put_metrics,
    ("ssm", "send-command"): send_command,
}


# ---- The instance -------------------------------------------------------------------------------------------------------


def cfn_signal(arguments: list[str]) -> str:
    options = dict(zip(arguments[::2], arguments[1::2]))
    with world() as state:
        state["signals"].append(options)
    changed("cfn-signal")
    return ""


def dnf(arguments: list[str]) -> str:
    """Brings the commands of a package."""
    brings = {
        "java-17-amazon-corretto-headless": ["java"],
        "aws-cfn-bootstrap": ["cfn-signal"],
        "nftables": ["nft"],
    }
    for package in [argument for argument in arguments if not argument.startswith("-") and argument != "install"]:
        for command in brings[package]:
            put_command(BIN, command)
    changed("dnf")
    return ""


def id_(arguments: list[str]) -> str:
    if not (ROOT / "etc/kafka-user").exists():
        sys.exit(1)
    return ""


def useradd(arguments: list[str]) -> str:
    (ROOT / "etc/kafka-user").touch()
    changed("useradd")
    return ""


def superblock() -> bytes:
    """An XFS superblock that blkid believes, of a file system with nothing in it."""
    first = (b"XFSB", 4096, 65536, 0, 0, os.urandom(16), 32768, 128, 129, 130, 1, 16384, 4, 0, 1000, 0xB4A5, 512, 512, 8, b"")
    return struct.pack(">4sIQQQ16sQQQQIIIIIHHHH12s", *first) + struct.pack(">8B", 12, 9, 9, 3, 14, 0, 0, 25)


def mkfs(arguments: list[str]) -> str:
    """A new file system has no files: what was on the volume is gone."""
    import shutil

    device = Path(arguments[-1]).resolve()
    files = device.parent / "files"
    shutil.rmtree(files, ignore_errors=True)
    with open(device, "r+b") as volume:
        # Something is there, but no superblock yet.
        volume.seek(8192)
        volume.write(b"inodes")
        volume.flush()
        changed("half of mkfs")
        volume.seek(0)
        volume.write(superblock())
    files.mkdir()
    changed("mkfs")
    return ""


def mount(arguments: list[str]) -> str:
    """A link to the volume's files stands for the mount."""
    import subprocess

    device, place = Path(arguments[-2]).resolve(), Path(arguments[-1])
    subprocess.run(["blkid", "--probe", "--match-types", "xfs", device], check=True, stdout=subprocess.DEVNULL)
    place.rmdir()
    place.symlink_to(device.parent / "files")
    changed("mount")
    return ""


def mountpoint(arguments: list[str]) -> str:
    if not Path(arguments[-1]).is_symlink():
        sys.exit(1)
    return ""


def ip(arguments: list[str]) -> str:
    """`address show to ADDRESS` while its interface is attached; and the routes of a broker that is the NAT."""
    if "route" in arguments and "default" in arguments and "show" in arguments:
        return "default via 10.42.0.1 dev ens5 proto dhcp src 10.42.0.7 metric 512\n"
    if "address" in arguments and "dev" in arguments:
        return "3: ens6    inet 10.42.0.50/24 brd 10.42.0.255 scope global dynamic ens6\n"
    if "address" in arguments:
        with world() as state:
            held = [one["address"] for one in state["interfaces"].values() if one["holder"] == INSTANCE]
        return "".join(f"3: ens6    inet {address}/24 scope global ens6\n" for address in held if address == arguments[-1])
    return ""


# ---- systemd and Kafka --------------------------------------------------------------------------------------------------


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


COMMANDS: dict[str, Callable[[list[str]], str]] = {
    "aws": aws,
    "cfn-signal": cfn_signal,
    "chown": lambda _: "",
    "dnf": dnf,
    "id": id_,
    "ip": ip,
    "java": java,
    "mkfs.xfs": mkfs,
    "mount": mount,
    "mountpoint": mountpoint,
    "nft": lambda _: "",
    "openssl": openssl,
    "sysctl": lambda _: "",
    "systemctl": systemctl,
    "useradd": useradd,
    "xfs_growfs": lambda _: "",
}


def put_command(folder: Path, name: str) -> None:
    """Puts one of these commands into a machine's folder."""
    path = folder / name
    here = Path(__file__).parent
    path.write_text(
        f"#!{sys.executable} -SE\nimport sys\nsys.path.insert(0, {str(here)!r})\nimport tools\ntools.main({name!r})\n", encoding="utf-8"
    )
    path.chmod(0o755)


def main(name: str) -> None:
    """Runs one of the commands."""
    arguments = sys.argv[1:]
    record(name, arguments)
    try:
        sys.stdout.write(COMMANDS[name](arguments))
    except Refused as refused:
        sys.exit(str(refused))


def wait_until(what: str, is_true: Callable[[], bool]) -> None:
    """Polls a condition."""
    deadline = time.monotonic() + LIMIT
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.05)

"""The AWS command line over the world's folder, with what the scripts call of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.broker.shared import ROOT, WORLD, Json, changed, random_name, world

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class Refused(Exception):
    """An error of AWS."""

    def __init__(self, code: str, operation: str) -> None:
        super().__init__(f"An error occurred ({code}) when calling the {operation} operation: see the code")


def aws(arguments: list[str]) -> str:
    """The AWS command line, with what the scripts call of it."""
    import shutil

    service, operation = arguments[:2]
    if service == "s3":
        shutil.copy(WORLD / "buckets" / arguments[-2].removeprefix("s3://"), arguments[-1])
        return ""
    options = {name: value for name, value in zip(arguments[2:], arguments[3:]) if name.startswith("--")}
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
    return {"NetworkInterfaces": [{"PrivateIpAddress": interface["address"], "MacAddress": "02:00:00:00:00:06", **attachment}]}


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
    with world() as state:
        state["asked"] = 0
    return {"Command": {"CommandId": "1"}}


def command_invocation(_: dict[str, str]) -> Json:
    """SSM does not know a command in the first moment."""
    with world() as state:
        state["asked"] += 1
        asked = state["asked"]
    if asked == 1:
        raise Refused("InvocationDoesNotExist", "GetCommandInvocation")
    return {"Status": "InProgress" if asked == 2 else "Success"}


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
    ("ssm", "get-command-invocation"): command_invocation,
}

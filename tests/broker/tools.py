"""What stands in for the commands of an EC2 instance while the broker's scripts run: AWS, systemd, disks, packages.

Each machine of the tests has a folder of commands. Those listed here stand there under their own names, beside links to the real
bash, openssl, tar and so on; no other command can be found. They record how they were called, keep what they change in the world's
folder as the real ones would in AWS, and can cut the power right after a change.

A boot calls sixty of them, so modules that are slow to load are imported where they are used, and `typing` not at all.
"""

from __future__ import annotations

import sys

from tests.broker import emulated_aws, emulated_instance, emulated_kafka
from tests.broker.shared import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

COMMANDS: dict[str, Callable[[list[str]], str]] = {
    "aws": emulated_aws.aws,
    "cfn-signal": emulated_instance.cfn_signal,
    "chown": lambda _: "",
    "curl": emulated_instance.curl,
    "dnf": emulated_instance.dnf,
    "id": emulated_instance.id_,
    "ip": emulated_instance.ip,
    "java": emulated_kafka.java,
    "mkfs.xfs": emulated_instance.mkfs,
    "mount": emulated_instance.mount,
    "mountpoint": emulated_instance.mountpoint,
    "networkctl": emulated_instance.networkctl,
    "nft": lambda _: "",
    "openssl": emulated_kafka.openssl,
    "sysctl": lambda _: "",
    "systemctl": emulated_kafka.systemctl,
    "useradd": emulated_instance.useradd,
    "xfs_growfs": lambda _: "",
}


def main(name: str) -> None:
    """Runs one of the commands."""
    arguments = sys.argv[1:]
    record(name, arguments)
    try:
        sys.stdout.write(COMMANDS[name](arguments))
    except emulated_aws.Refused as refused:
        sys.exit(str(refused))

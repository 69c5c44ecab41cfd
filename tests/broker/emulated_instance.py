"""An instance's disks, packages, users and addresses."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from tests.broker.shared import BIN, INSTANCE, ROOT, WORLD, changed, put_command, world


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


def curl(arguments: list[str]) -> str:
    """Apache's mirrors, which no longer have the release, and its archive, which has."""
    import shutil

    if "//archive.apache.org/" not in arguments[-1]:
        sys.exit(22)
    (archive,) = WORLD.glob("kafka_*.tgz")
    shutil.copy(archive, arguments[arguments.index("--output") + 1])
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


def networkctl(arguments: list[str]) -> str:
    """networkd reads what was declared."""
    with world() as state:
        declared = (ROOT / "etc/systemd/network/60-tickerlake.network").read_text(encoding="utf-8")
        state.setdefault("declared", {})[INSTANCE] = declared
    changed("networkctl reload")
    return ""


def ip(arguments: list[str]) -> str:
    """`address show to ADDRESS` while its interface is attached, the way out, and the way of an address that networkd was told of."""
    if "default" in arguments:
        return "default via 10.42.0.1 dev ens5 proto dhcp src 10.42.0.7 metric 512\n"
    with world() as state:
        held = [one["address"] for one in state["interfaces"].values() if one["holder"] == INSTANCE]
        declared = state.get("declared", {}).get(INSTANCE, "")
    if "address" in arguments:
        return "".join(f"3: ens6    inet {address}/24 scope global ens6\n" for address in held if address == arguments[-1])
    device = "ens6" if f"From={arguments[-1]}\n" in declared else "ens5"
    return f"198.51.100.1 from {arguments[-1]} via 10.42.0.1 dev {device} uid 0\n"

"""Kafka's release as the broker fetches it: an archive of the jars that Maven brings, as the local stack keeps them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

BROKER = Path(__file__).resolve().parents[2] / "broker"

# The release before: what is upgraded from in the tests.
BEFORE = "4.2.0"


def version() -> str:
    """Kafka's version, as the pom says."""
    found = re.search(r"<kafka.version>(.*)</kafka.version>", pom())
    assert found
    return found[1]


def pom() -> str:
    return (BROKER / "pom.xml").read_text(encoding="utf-8")


def jars(of: str) -> Path:
    """The folder of a version's jars in the user's cache, where `tickerlake local --kafka real` keeps its own too; fetched if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tickerlake"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"kafka-{of}"
    wanted = pom().replace(f"<kafka.version>{version()}<", f"<kafka.version>{of}<")
    with open(cache / f"kafka-{of}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "pom.xml").exists() or (place / "pom.xml").read_text(encoding="utf-8") != wanted:
            new = cache / f"kafka-{of}.new"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            (new / "pom.xml").write_text(wanted, encoding="utf-8")
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={new / 'libs'}"]
            subprocess.run(["mvn", "--quiet", "--batch-mode", "--file", new / "pom.xml", *goal], check=True)
            shutil.rmtree(place, ignore_errors=True)
            new.rename(place)
    return place / "libs"


def archive(path: Path, libs: Path | None) -> str:
    """Writes the archive with links to the jars, or without any, and returns its SHA-512."""
    with tarfile.open(path, "w:gz") as tar:
        for jar in sorted(libs.iterdir()) if libs else []:
            entry = tarfile.TarInfo(f"{path.stem}/libs/{jar.name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, str(jar)
            tar.addfile(entry)
        tar.addfile(tarfile.TarInfo(f"{path.stem}/LICENSE"))
    return hashlib.sha512(path.read_bytes()).hexdigest()

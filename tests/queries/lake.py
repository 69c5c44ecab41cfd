"""A lake made by the real binaries from a recording, and the questions that a person asks it."""

import base64
import csv
import io
import os
import pathlib
import subprocess
from typing import Optional

BUCKET = "tickerlake-lake-000000000000-us-east-1"

# Only a hanging command takes that long.
LIMIT_SECONDS = 300

ROOT = pathlib.Path(__file__).parents[2]


def binary() -> pathlib.Path:
    """The built command; the functions lie beside it."""
    found = pathlib.Path(os.environ.get("TICKERLAKE", pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/tickerlake"))
    if not found.is_file():
        raise FileNotFoundError(f"{found} is missing: run `make compile`")
    return found


class Lake:
    """A data folder and the command that works in it."""

    def __init__(self, data: pathlib.Path) -> None:
        self.data = data

    def run(self, *arguments: str) -> str:
        """Runs the command to its good end; gives what it printed."""
        command = [str(binary()), *arguments[:1], "--data", str(self.data), *arguments[1:]]
        # Like a person elsewhere: with none of the developer's settings, and with the template of the build.
        environment = {"PATH": os.environ["PATH"]}
        ended = subprocess.run(
            command, cwd=self.data.parent, env=environment, capture_output=True, encoding="utf-8", timeout=LIMIT_SECONDS, check=False
        )
        if ended.returncode != 0:
            raise AssertionError(f"{command} ended with {ended.returncode}: {ended.stderr}{ended.stdout}")
        return ended.stdout

    def replay(self, recording: pathlib.Path) -> None:
        """Stores a recording, every quote of it."""
        flags = ["--port", "0", "--kafka-port", "0", "--source", "replay", "--speed", "max", "--every", "100ms", "--until-drained"]
        self.run("local", "--replay-file", str(recording), *flags)

    def ask(self, name: str, *flags: str) -> "list[dict[str, Optional[str]]]":
        """The rows of a named query, None for NULL."""
        text = self.run("query", "--format", "csv", "--name", name, *flags)
        return [{column: value or None for column, value in row.items()} for row in csv.DictReader(io.StringIO(text))]

    def copy(self, file: pathlib.Path, name: str) -> None:
        """Puts a file of the lake there again, under another name."""
        for source, target in zip(self._parts(file), self._parts(file.with_name(name))):
            target.write_bytes(source.read_bytes())

    def remove(self, file: pathlib.Path) -> None:
        """Takes a file out of the lake."""
        for part in self._parts(file):
            part.unlink()

    def _parts(self, file: pathlib.Path) -> "list[pathlib.Path]":
        """An object of the local S3: its bytes, and what is told of it beside the buckets."""
        root = self.data / "s3"
        bucket, key = (base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in str(file.relative_to(root)).split("/", 1))
        return [file, *(root / f".bucket-{bucket}.object-{key}.{kind}.json" for kind in ("metadata", "internal"))]

    def files(self, day: str) -> "list[pathlib.Path]":
        """The day's files, by their first offset."""
        return sorted((self.data / "s3" / BUCKET / "quotes" / f"dt={day}").glob("*.parquet"))

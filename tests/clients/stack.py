"""The real `tickerlake local` over a small recording, one for all tests of this package."""

import atexit
import functools
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
from typing import Any, Callable, TypeVar

import boto3

from tests.clients import recording

DATABASE = "tickerlake"
WORK_GROUP = "tickerlake"
LAKE_BUCKET = "tickerlake-lake-000000000000-us-east-1"

# Only a hanging stack takes that long.
LIMIT_SECONDS = 120

ENDPOINT = re.compile(r"AWS_ENDPOINT_URL=(\S+)")

T = TypeVar("T")


class Stack:
    """A running stack, and the environment of its clients."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.data = folder / "data"
        replayed = folder / "recording.csv"
        recording.write(replayed)
        command = [os.environ["TICKERLAKE"], "local", "--data", str(self.data), "--source", "replay", "--replay-file", str(replayed)]
        command += ["--speed", "max", "--every", "100ms", "--port", "0", "--kafka-port", "0"]
        self._log = open(folder / "local.log", "w+", encoding="utf-8")
        # Elsewhere than in the checkout, with none of the developer's settings.
        environment = {"PATH": os.environ["PATH"]}
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=self._log, stderr=subprocess.STDOUT)

    def endpoint(self) -> str:
        """What the stack prints for its clients."""
        return eventually("the stack prints its endpoint", lambda: self._found(ENDPOINT))

    def _found(self, pattern: "re.Pattern[str]") -> str:
        text = pathlib.Path(self._log.name).read_text(encoding="utf-8")
        if self._process.poll() is not None:
            raise AssertionError(f"the stack ended with {self._process.returncode}: {text}")
        found = pattern.search(text)
        return found.group(1) if found else ""

    def stop(self) -> None:
        """Ends it as Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


def eventually(what: str, look: Callable[[], T]) -> T:
    """What is found at last."""
    limit = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < limit:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not in {LIMIT_SECONDS} s: {what}")


@functools.lru_cache(maxsize=None)
def shared() -> Stack:
    """The stack, with every row of the recording visible. Clients find it in this process's environment."""
    folder = tempfile.TemporaryDirectory(prefix="tickerlake-clients-")
    atexit.register(folder.cleanup)
    stack = Stack(pathlib.Path(folder.name))
    atexit.register(stack.stop)
    os.environ.update(
        AWS_ENDPOINT_URL=stack.endpoint(),
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        # No file of the developer's says otherwise.
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    wanted = len(recording.expected())
    eventually("every quote is visible", lambda: answer("SELECT count(*) FROM quotes")[1:] == [(str(wanted),)])
    return stack


def client(service: str) -> Any:
    """A client of one service, with nothing set but what the environment says."""
    return boto3.client(service)


def execute(sql: str, **more: Any) -> "dict[str, Any]":
    """Runs a statement to its end, good or bad."""
    athena = client("athena")
    started = athena.start_query_execution(
        QueryString=sql, WorkGroup=WORK_GROUP, QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"}, **more
    )

    def ended() -> "dict[str, Any]":
        execution = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
        return execution if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED") else {}

    return eventually("the query ends", ended)


def answer(sql: str, **more: Any) -> "list[tuple[Any, ...]]":
    """A statement's rows with the header, page by page; None for null."""
    execution = execute(sql, **more)
    if execution["Status"]["State"] != "SUCCEEDED":
        raise AssertionError(f"{sql}: {execution['Status']}")
    pages = client("athena").get_paginator("get_query_results").paginate(
        QueryExecutionId=execution["QueryExecutionId"], PaginationConfig={"PageSize": 2}
    )
    rows = (row for page in pages for row in page["ResultSet"]["Rows"])
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in rows]

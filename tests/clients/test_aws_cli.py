"""The AWS command line, as the README shows it."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

from tests.clients import recording, stack


def aws(*arguments: str) -> str:
    """Runs `aws` to its good end; gives what it printed."""
    command = pathlib.Path(sys.executable).with_name("aws")
    ended = subprocess.run([command, *arguments], env=os.environ, capture_output=True, encoding="utf-8", timeout=60, check=False)
    if ended.returncode != 0:
        raise AssertionError(f"aws {arguments}: {ended.stderr}")
    return ended.stdout


class AwsCli(unittest.TestCase):
    """One call of each service."""

    @classmethod
    def setUpClass(cls) -> None:
        stack.shared()

    def test_objects_are_listed(self) -> None:
        listed = aws("s3", "ls", "--recursive", f"s3://{stack.LAKE_BUCKET}/quotes/")
        for day in recording.DAYS:
            self.assertIn(f"quotes/dt={day}/", listed)

    def test_partitions_are_listed(self) -> None:
        query = ["--query", "Partitions[].Values[]", "--output", "json"]
        listed = aws("glue", "get-partitions", "--database-name", stack.DATABASE, "--table-name", "quotes", *query)
        self.assertEqual(sorted(json.loads(listed)), list(recording.DAYS))

    def test_a_query_is_started(self) -> None:
        sql = "SELECT count(*) FROM tickerlake.quotes"
        started = json.loads(aws("athena", "start-query-execution", "--work-group", stack.WORK_GROUP, "--query-string", sql))
        athena = stack.client("athena")

        def ended() -> bool:
            execution = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
            return execution["Status"]["State"] == "SUCCEEDED"

        stack.eventually("the query succeeds", ended)
        results = json.loads(aws("athena", "get-query-results", "--query-execution-id", started["QueryExecutionId"], "--output", "json"))
        self.assertEqual(results["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"], str(len(recording.expected())))

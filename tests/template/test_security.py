"""checkov on the transformed template: nothing but the exceptions that are listed here with their reasons.

It lives in a virtual environment of its own, whose program `CHECKOV` names (the Makefile sees to both).
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from tests.template.transformed import transformed

EXCEPTIONS = {
    "CKV_AWS_18": "The buckets' access logs would cost more than the buckets; CloudTrail's data events are there for who needs them.",
    "CKV_AWS_21": "Athena's results can be had again: there is nothing to keep older versions of.",
    "CKV_AWS_26": "CloudWatch may not use the key of SNS's own, and alarms hold no secret.",
    "CKV_AWS_27": "Queues are encrypted with SQS's own key; a key of the stack's costs a dollar a month and each call.",
    "CKV_AWS_111": "Write access without constraints: the actions that know no resources, which test_permissions lists.",
    "CKV_AWS_115": "A new account has ten executions at once and lets nobody reserve any: ReserveConcurrency does it on demand.",
    "CKV_AWS_116": "Failed invocations go to on-failure destinations, the newer form; the mappings' are kept by Kafka and SQS.",
    "CKV_AWS_117": "Only fetch-quotes needs the VPC; the others would pay for a way out of it to reach AWS.",
    "CKV_AWS_149": "Secrets are encrypted with Secrets Manager's own key; see CKV_AWS_27.",
    "CKV_AWS_158": "Logs are encrypted by CloudWatch with a key of its own; see CKV_AWS_27.",
    "CKV_AWS_173": "Variables are encrypted with Lambda's own key and hold no secret, only ARNs of secrets.",
    "CKV_AWS_195": "The crawler writes nothing but its log, which CloudWatch encrypts; see CKV_AWS_158.",
}


class Checkov(unittest.TestCase):
    def test_it_finds_the_listed_exceptions_and_nothing_else(self) -> None:
        checkov = os.environ.get("CHECKOV")
        if not checkov:
            self.fail("CHECKOV names no program: `make test-template` installs it and says where it is")
        with tempfile.TemporaryDirectory() as folder:
            template = pathlib.Path(folder, "template.json")
            template.write_text(json.dumps(transformed()), encoding="utf-8")
            command = [checkov, "--file", str(template), "--framework", "cloudformation", "--output", "json", "--quiet", "--skip-download"]
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        report = json.loads(run.stdout)
        self.assertGreater(report["summary"]["passed"], 100, run.stderr)
        self.assertEqual(report["summary"]["parsing_errors"], 0)
        failed: dict[str, set[str]] = {}
        for check in report["results"]["failed_checks"]:
            failed.setdefault(check["check_id"], set()).add(check["resource"])
        unexpected = {check: resources for check, resources in failed.items() if check not in EXCEPTIONS}
        self.assertEqual(unexpected, {})
        self.assertEqual(set(EXCEPTIONS) - set(failed), set(), "an exception that nothing needs any more")


if __name__ == "__main__":
    unittest.main()

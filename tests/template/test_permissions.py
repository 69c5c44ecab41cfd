"""What each role may do: the calls that its function's code makes, and nothing more."""

from __future__ import annotations

import pathlib
import re
import unittest

from tests.template.deployments import DEPLOYMENTS, EVERYTHING_ON
from tests.template.rendered import Rendered, as_list, references, render
from tests.template.sources import calls
from tests.template.transformed import binaries

BROKER = pathlib.Path(__file__).parents[2] / "broker"

# What an operator runs elsewhere, with rights of his own.
FOR_OPERATORS = {"rotate-password.sh"}

# Operations whose permission has another name, or that need a second one.
PERMISSIONS = {
    "s3:GetObject": {"s3:GetObject"},
    "s3:HeadObject": {"s3:GetObject"},
    "s3:CopyObject": {"s3:GetObject", "s3:PutObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
}

# The operations by which code learns that there is no object: without ListBucket the answer is 403 and not 404.
MAY_MISS = {"s3:HeadObject", "s3:CopyObject"}

EVERY_FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}

# What others do with a function's role, or check it for.
JOIN_A_VPC = {
    f"ec2:{action}"
    for action in (
        *("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
        *("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs"),
    )
}
ON_BEHALF = {
    # Lambda attaches it to the VPC, and keeps failed invocations.
    "fetch-quotes": JOIN_A_VPC | {"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "sqs:SendMessage"},
    # The mapping's pollers.
    "write-quotes": JOIN_A_VPC | {"secretsmanager:GetSecretValue"},
    # The queue's pollers.
    "start-crawler": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    # Lambda keeps failed invocations; Athena reads the catalog and the files and writes results with the rights of who asks.
    "check-freshness": {
        "sqs:SendMessage",
        *("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition"),
        *("s3:GetObject", "s3:PutObject", "s3:GetBucketLocation", "s3:ListBucket"),
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"),
    },
    "compact-day": {"sqs:SendMessage"},
}

# Granted where a parameter asks for it: the key of an existing cluster's secrets.
OPTIONAL = {"kms:Decrypt"}

# The only grants on resources that are not named one by one, because AWS lets them name none, and their roles.
FOR_ALL = {
    # X-Ray, the check before Lambda attaches something to a VPC, and CloudWatch know no resources.
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "cloudwatch:PutMetricData"),
    *(JOIN_A_VPC | {"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}),
    # Whether the volume and the interface are free; and Session Manager.
    *("ec2:DescribeVolumes", "ec2:DescribeNetworkInterfaces", "ssm:UpdateInstanceInformation"),
    *(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")),
}

# Resources below a name: objects of a prefix, streams of a log group, and instances, which the condition narrows.
BELOW = re.compile(r"^\$\{\w+Bucket\.Arn\}/[a-z]+/\*$|:log-group:/[\w/-]+:\*$|:instance/\*$")


def needed(binary: str) -> set[str]:
    called = calls(binary)
    permissions = set().union(*(PERMISSIONS.get(operation, {operation}) for operation in called))
    if called & MAY_MISS:
        permissions.add("s3:ListBucket")
    return permissions | EVERY_FUNCTION | ON_BEHALF.get(binary, set())


def granted(rendered: Rendered, role: str) -> set[str]:
    return {action for statement in rendered.statements(role) for action in statement["Action"]}


def everything() -> Rendered:
    return render(**EVERYTHING_ON)


def role_of(rendered: Rendered, function: str) -> str:
    (role,) = references(rendered.properties(function)["Role"])
    return role


class Functions(unittest.TestCase):
    def test_each_function_may_make_the_calls_of_its_code_and_no_other(self) -> None:
        rendered = everything()
        for name, binary in binaries().items():
            with self.subTest(binary):
                self.assertEqual(granted(rendered, role_of(rendered, name)) - OPTIONAL, needed(binary))

    def test_each_function_has_a_role_of_its_own(self) -> None:
        rendered = everything()
        roles = [role_of(rendered, name) for name in binaries()]
        self.assertEqual(len(roles), len(set(roles)))

    def test_the_calls_were_found_at_all(self) -> None:
        self.assertLessEqual({"s3:GetObject", "secretsmanager:GetSecretValue"}, calls("fetch-quotes"))
        self.assertLessEqual({"s3:GetObject", "s3:PutObject", "s3:HeadObject"}, calls("write-quotes"))
        self.assertLessEqual({"glue:CreatePartition", "glue:StartCrawler"}, calls("start-crawler"))

    def test_the_mappings_role_reads_the_secrets_that_the_mapping_names(self) -> None:
        for deployment, parameters in DEPLOYMENTS.items():
            rendered = render(**parameters)
            access = rendered.properties("QuotesMapping")["SourceAccessConfigurations"]
            named = {entry["URI"] for entry in access if entry["Type"] in ("SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE")}
            readable = {
                resource
                for statement in rendered.statements("WriteQuotesRole")
                if "secretsmanager:GetSecretValue" in statement["Action"]
                for resource in statement["Resource"]
            }
            self.assertEqual(readable, named, deployment)

    def test_watermarks_are_written_by_write_quotes_alone_and_removed_by_nobody(self) -> None:
        rendered = everything()
        for role in rendered.of_type("AWS::IAM::Role"):
            for statement in rendered.statements(role):
                reaches = any("/state/" in resource or resource.endswith("Bucket.Arn}/*") for resource in statement["Resource"])
                if reaches and role != "WriteQuotesRole":
                    self.assertEqual(statement["Action"], ["s3:GetObject"], role)
                self.assertFalse(reaches and "s3:DeleteObject" in statement["Action"], role)


class Everybody(unittest.TestCase):
    def test_a_grant_names_single_actions_and_resources(self) -> None:
        for deployment, parameters in {**DEPLOYMENTS, "everything": EVERYTHING_ON}.items():
            rendered = render(**parameters)
            for role in rendered.of_type("AWS::IAM::Role"):
                for statement in rendered.statements(role):
                    with self.subTest(deployment=deployment, role=role, actions=statement["Action"]):
                        self.assertEqual(statement["Effect"], "Allow")
                        self.assertLessEqual(set(statement), {"Effect", "Action", "Resource", "Condition", "Sid"})
                        for action in statement["Action"]:
                            self.assertRegex(action, r"^[a-z0-9-]+:[A-Za-z]+$")
                        for resource in statement["Resource"]:
                            if resource == "*":
                                self.assertLessEqual(set(statement["Action"]), FOR_ALL)
                            elif "*" in resource:
                                self.assertRegex(resource, BELOW)

    def test_only_a_service_that_uses_a_role_takes_it(self) -> None:
        services = {"lambda.amazonaws.com", "glue.amazonaws.com", "ec2.amazonaws.com", "scheduler.amazonaws.com"}
        for name, role in everything().of_type("AWS::IAM::Role").items():
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                self.assertEqual(as_list(statement["Action"]), ["sts:AssumeRole"], name)
                self.assertLessEqual(set(as_list(statement["Principal"]["Service"])), services, name)


class Broker(unittest.TestCase):
    """The brokers' role, against the commands of their scripts and of the user data."""

    # The agent's, and what `aws s3 cp` and the layer's command ask for.
    BESIDE_COMMANDS = {
        "ssm:UpdateInstanceInformation",
        *(f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")),
    }
    NAMED_OTHERWISE = {"s3:Cp": "s3:GetObject", "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion"}

    def commands(self) -> set[str]:
        script = everything().properties("BrokerLaunchTemplate")["LaunchTemplateData"]["UserData"]
        scripts = [path.read_text(encoding="utf-8") for path in sorted(BROKER.rglob("*.sh")) if path.name not in FOR_OPERATORS]
        text = re.sub(r"^\s*#.*$|\\\n", "", "\n".join([script, *scripts]), flags=re.MULTILINE)
        found = re.findall(r"\baws (?:--[\w-]+ \S+ )*(ec2|s3|secretsmanager|cloudwatch|cloudformation|lambda|ssm) ([a-z0-9-]+)", text)
        camel = {f"{service}:{''.join(word.capitalize() for word in command.split('-'))}" for service, command in found}
        return {self.NAMED_OTHERWISE.get(command, command) for command in camel}

    def test_it_may_run_the_commands_of_its_scripts_and_no_other(self) -> None:
        self.assertEqual(granted(everything(), "BrokerRole"), self.commands() | self.BESIDE_COMMANDS)

    def test_it_attaches_only_what_is_the_stacks(self) -> None:
        rendered = render(BrokerCount="3")
        for statement in rendered.statements("BrokerRole"):
            if statement["Action"][0].startswith("ec2:Attach"):
                if any(resource.endswith(":instance/*") for resource in statement["Resource"]):
                    self.assertEqual(statement["Condition"], {"StringEquals": {"aws:ResourceTag/tickerlake-brokers-of": "tickerlake"}})
                else:
                    self.assertEqual(len(statement["Resource"]), 3)
        for group in rendered.of_type("AWS::AutoScaling::AutoScalingGroup").values():
            self.assertIn({"Key": "tickerlake-brokers-of", "Value": "tickerlake", "PropagateAtLaunch": True}, group["Tags"])

    def test_only_brokers_read_what_is_for_brokers_alone(self) -> None:
        rendered = everything()
        readers = {
            role
            for role in rendered.of_type("AWS::IAM::Role")
            for statement in rendered.statements(role)
            if "${ClusterSecret}" in statement["Resource"]
        }
        self.assertEqual(readers, {"BrokerRole"})


if __name__ == "__main__":
    unittest.main()

"""Every combination of the parameters that switch resources: the possible ones hold together, the others are refused."""

from __future__ import annotations

import itertools
import json
import re
import unittest
from typing import Any, Iterator

from tests.template.deployments import DEPLOYMENTS, EVERYTHING_ON, EXISTING_CLUSTER, EXISTING_VPC
from tests.template.rendered import Rejected, Rendered, references, render, violations
from tests.template.transformed import transformed

ARN = DEPLOYMENTS["an existing cluster with its own authority and key"]

# The values of each parameter that decides about brokers and network.
WHERE: dict[str, list[str]] = {
    "BrokerCount": ["1", "3"],
    "Egress": ["nat-gateway", "broker"],
    "ExistingVpcId": ["", EXISTING_VPC["ExistingVpcId"]],
    "ExistingSubnetIds": ["", EXISTING_CLUSTER["ExistingSubnetIds"], EXISTING_VPC["ExistingSubnetIds"]],
    "ExistingSubnetZones": ["", "us-east-1a,us-east-1b", EXISTING_VPC["ExistingSubnetZones"]],
    **{
        name: ["", ARN[name]]
        for name in (
            "ExistingBootstrapServers",
            "ExistingSecurityGroupId",
            "ExistingProducerSecretArn",
            "ExistingConsumerSecretArn",
            "ExistingCaSecretArn",
            "ExistingSecretsKeyArn",
        )
    },
}

# The values of each parameter that a rule about something else looks at.
WHAT: dict[str, list[str]] = {
    "QuoteSource": ["simulated", "alpaca", "finnhub", "massive", "tiingo", "twelvedata", "yahoo"],
    "QuoteApiKeySecretArn": ["", EVERYTHING_ON["QuoteApiKeySecretArn"]],
    "YahooTerms": ["", "accepted"],
    "AlarmEmail": ["", EVERYTHING_ON["AlarmEmail"]],
    "MonthlyBudget": ["0", "100"],
    "WriteQuotesMapping": ["on", "off"],
}


def combinations(values: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    for chosen in itertools.product(*values.values()):
        yield dict(zip(values, chosen))


def makes_sense(chosen: dict[str, str]) -> bool:
    """What a person would call possible, said in other words than the template says it."""
    existing = {name for name, value in chosen.items() if name.startswith("Existing") and value}
    if "ExistingBootstrapServers" in existing:
        needed = {"ExistingBootstrapServers", *EXISTING_CLUSTER}
        optional = {"ExistingCaSecretArn", "ExistingSecretsKeyArn", "ExistingSubnetZones"}
        return needed <= existing <= needed | optional and (chosen["BrokerCount"], chosen["Egress"]) == ("1", "nat-gateway")
    if existing:
        return existing == set(EXISTING_VPC) and chosen["Egress"] == "nat-gateway"
    return (chosen["BrokerCount"], chosen["Egress"]) != ("3", "broker")


def subnets_suffice(chosen: dict[str, str]) -> bool:
    """The one thing that no rule can count: three brokers in an existing VPC need three subnets and three zones."""
    if not chosen["ExistingVpcId"]:
        return True
    given = min(len(chosen[name].split(",")) for name in ("ExistingSubnetIds", "ExistingSubnetZones"))
    return given >= int(chosen["BrokerCount"])


def empty_texts(part: Any, path: str = "") -> Iterator[str]:
    """Where something was left empty."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from empty_texts(value, f"{path}.{key}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from empty_texts(value, f"{path}.{index}")
    elif part == "" or (isinstance(part, str) and re.fullmatch(r"(subnet|security_group):", part)):
        yield path


class Combinations(unittest.TestCase):
    def assert_holds_together(self, rendered: Rendered) -> None:
        deployed = set(rendered.resources)
        for name, resource in {**rendered.resources, **rendered.outputs}.items():
            self.assertLessEqual(references(resource), deployed, name)
            depends_on = resource.get("DependsOn", [])
            self.assertLessEqual({depends_on} if isinstance(depends_on, str) else set(depends_on), deployed, name)
        # A variable may be empty; anything else that is would be refused, or worse, taken.
        properties = {name: resource.get("Properties", {}) for name, resource in rendered.resources.items()}
        empty = [path for path in empty_texts(properties) if ".Environment.Variables." not in path]
        self.assertEqual(empty, [])

    def test_the_rules_refuse_what_makes_no_sense_and_nothing_else(self) -> None:
        for chosen in combinations(WHERE):
            self.assertEqual(not violations(chosen), makes_sense(chosen), chosen)

    def test_what_is_fetched_and_told_is_possible(self) -> None:
        for chosen in combinations(WHAT):
            source = chosen["QuoteSource"]
            has_key = source in ("simulated", "yahoo") or chosen["QuoteApiKeySecretArn"]
            has_terms = source != "yahoo" or chosen["YahooTerms"]
            is_told = chosen["MonthlyBudget"] == "0" or chosen["AlarmEmail"]
            self.assertEqual(not violations(chosen), bool(has_key and has_terms and is_told), chosen)

    def test_each_combination_that_is_allowed_holds_together(self) -> None:
        rendered = 0
        for chosen in filter(makes_sense, combinations(WHERE)):
            for others in ({}, EVERYTHING_ON):
                with self.subTest(**chosen, **others):
                    if subnets_suffice(chosen):
                        self.assert_holds_together(render(**chosen, **others))
                        rendered += 1
                    else:
                        self.assertRaises(Rejected, render, **chosen, **others)
        self.assertGreater(rendered, 50)

    def test_the_mapping_alone_can_be_taken_away_and_put_back(self) -> None:
        for name, parameters in DEPLOYMENTS.items():
            on, off = render(**parameters), render(**parameters, WriteQuotesMapping="off")
            self.assertEqual(set(on.resources) - set(off.resources), {"QuotesMapping"}, name)
            self.assertEqual({other: on.resources[other] for other in off.resources}, off.resources, name)

    def test_every_parameter_that_switches_something_was_switched(self) -> None:
        switching = {
            name
            for name in transformed()["Parameters"]
            if f'{{"Ref": "{name}"}}' in json.dumps([transformed()["Conditions"], transformed()["Rules"]])
        }
        self.assertEqual(switching, set(WHERE) | set(WHAT) | set(EVERYTHING_ON))

    def test_every_condition_is_used(self) -> None:
        template = transformed()
        used = json.dumps([template["Resources"], template["Outputs"], template["Conditions"]])
        for name in template["Conditions"]:
            self.assertRegex(used, rf'("Condition": "{name}"|"Fn::If": \["{name}")')

    def test_the_defaults_deploy(self) -> None:
        for name, parameter in transformed()["Parameters"].items():
            self.assertIn("Default", parameter, name)
        self.assertIn("Broker1", render().resources)

    def test_every_parameter_is_described_grouped_and_used(self) -> None:
        template = transformed()
        groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertCountEqual(grouped, template["Parameters"])
        used = json.dumps({key: value for key, value in template.items() if key not in ("Parameters", "Metadata")})
        for name, parameter in template["Parameters"].items():
            self.assertTrue(parameter.get("Description"), name)
            self.assertRegex(used, rf'"Ref": "{name}"|\$\{{{name}\}}')


class SwitchedResources(unittest.TestCase):
    """What each way of deploying has and has not."""

    HAS = {
        "one broker": {"NatGateway", "Vpc", "Broker1"},
        "one broker that is the NAT": {"Vpc", "Broker1", "NatFromProducer", "NatFromMapping"},
        "three brokers": {"NatGateway", "Vpc", "Broker1", "Broker2", "Broker3"},
        "one broker in an existing VPC": {"Broker1"},
        "three brokers in an existing VPC": {"Broker1", "Broker2", "Broker3"},
        "an existing cluster": set(),
        "an existing cluster with its own authority and key": set(),
    }

    def test_each_deployment_has_what_it_needs(self) -> None:
        switched = set().union(*self.HAS.values())
        for name, parameters in DEPLOYMENTS.items():
            self.assertEqual(switched & set(render(**parameters).resources), self.HAS[name], name)

    def test_an_existing_cluster_has_no_network_no_instance_and_no_secret_of_the_stacks(self) -> None:
        kinds = {resource["Type"] for resource in render(**EXISTING_CLUSTER).resources.values()}
        self.assertEqual([kind for kind in kinds if kind.startswith(("AWS::EC2", "AWS::AutoScaling", "AWS::Route53", "AWS::Secrets"))], [])

    def test_concurrency_is_reserved_on_demand_alone(self) -> None:
        def reserved(**parameters: str) -> set[str]:
            functions = render(**parameters).of_type("AWS::Lambda::Function")
            return {name for name, function in functions.items() if "ReservedConcurrentExecutions" in function}

        self.assertEqual(reserved(), set())
        self.assertLessEqual({"FetchQuotesFunction", "WriteQuotesFunction", "StartCrawlerFunction"}, reserved(ReserveConcurrency="on"))


if __name__ == "__main__":
    unittest.main()

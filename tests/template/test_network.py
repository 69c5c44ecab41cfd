"""Who reaches whom: every security group's rules, the routes, and what brokers start with."""

from __future__ import annotations

import unittest
from typing import Any, Optional

from tests.template.deployments import DEPLOYMENTS, EXISTING_CLUSTER
from tests.template.rendered import Rendered, render

Rule = tuple[str, str, str, Optional[int], Optional[int]]

CLIENTS = {
    ("in", "BrokerSecurityGroup", "ProducerSecurityGroup", 9096, 9096),
    ("in", "BrokerSecurityGroup", "MappingSecurityGroup", 9096, 9096),
    ("out", "ProducerSecurityGroup", "BrokerSecurityGroup", 9096, 9096),
    ("out", "MappingSecurityGroup", "BrokerSecurityGroup", 9096, 9096),
    ("out", "ProducerSecurityGroup", "0.0.0.0/0", 443, 443),
    ("out", "MappingSecurityGroup", "0.0.0.0/0", 443, 443),
    ("out", "BrokerHostSecurityGroup", "0.0.0.0/0", 443, 443),
    # Stands for nothing: an empty list would allow everything.
    ("out", "BrokerSecurityGroup", "127.0.0.1/32", None, None),
}

AMONG_BROKERS = {
    ("in", "BrokerSecurityGroup", "BrokerSecurityGroup", 9093, 9096),
    ("in", "BrokerSecurityGroup", "BrokerHostSecurityGroup", 9093, 9096),
    ("out", "BrokerSecurityGroup", "BrokerSecurityGroup", 9093, 9096),
    ("out", "BrokerHostSecurityGroup", "BrokerSecurityGroup", 9093, 9096),
}

THROUGH_THE_NAT = {
    ("in", "BrokerSecurityGroup", "ProducerSecurityGroup", 443, 443),
    ("in", "BrokerSecurityGroup", "MappingSecurityGroup", 443, 443),
}


def name(reference: str) -> str:
    return reference.removeprefix("${").removesuffix("}")


def rule(direction: str, group: str, written: dict[str, Any]) -> Rule:
    peers = [written[key] for key in ("SourceSecurityGroupId", "DestinationSecurityGroupId", "CidrIp", "CidrIpv6") if key in written]
    (peer,) = peers
    return (direction, group, name(peer), written.get("FromPort"), written.get("ToPort"))


def rules(rendered: Rendered) -> list[Rule]:
    """All rules, those inside of groups and those beside them."""
    found = []
    for group, properties in rendered.of_type("AWS::EC2::SecurityGroup").items():
        found += [rule("in", group, written) for written in properties.get("SecurityGroupIngress", [])]
        found += [rule("out", group, written) for written in properties["SecurityGroupEgress"]]
    for kind, direction in (("Ingress", "in"), ("Egress", "out")):
        for written in rendered.of_type(f"AWS::EC2::SecurityGroup{kind}").values():
            found.append(rule(direction, name(written["GroupId"]), written))
    return found


class SecurityGroups(unittest.TestCase):
    def test_only_the_producer_and_the_mapping_reach_the_brokers(self) -> None:
        expected = {
            "one broker": CLIENTS,
            "one broker that is the NAT": CLIENTS | THROUGH_THE_NAT,
            "three brokers": CLIENTS | AMONG_BROKERS,
            "one broker in an existing VPC": CLIENTS,
            "three brokers in an existing VPC": CLIENTS | AMONG_BROKERS,
            "an existing cluster": set(),
            "an existing cluster with its own authority and key": set(),
        }
        for deployment, parameters in DEPLOYMENTS.items():
            with self.subTest(deployment):
                found = rules(render(**parameters))
                self.assertEqual(set(found), expected[deployment])
                self.assertEqual(len(found), len(set(found)))

    def test_a_rule_names_a_protocol_unless_it_allows_nothing(self) -> None:
        rendered = render(BrokerCount="3")
        inside = [written for group in rendered.of_type("AWS::EC2::SecurityGroup").values() for written in group["SecurityGroupEgress"]]
        beside = [*rendered.of_type("AWS::EC2::SecurityGroupIngress").values(), *rendered.of_type("AWS::EC2::SecurityGroupEgress").values()]
        for written in inside + beside:
            self.assertTrue(written["Description"])
            if written.get("CidrIp") != "127.0.0.1/32":
                self.assertEqual(written["IpProtocol"], "tcp", written)

    def test_fetch_quotes_alone_is_in_the_vpc_and_in_the_producers_group(self) -> None:
        for parameters, group in (({}, "${ProducerSecurityGroup}"), (EXISTING_CLUSTER, EXISTING_CLUSTER["ExistingSecurityGroupId"])):
            functions = render(**parameters).of_type("AWS::Lambda::Function")
            self.assertEqual([name for name, function in functions.items() if "VpcConfig" in function], ["FetchQuotesFunction"])
            self.assertEqual(functions["FetchQuotesFunction"]["VpcConfig"]["SecurityGroupIds"], [group])

    def test_the_mapping_is_in_two_subnets_and_in_its_own_group(self) -> None:
        for parameters, group in (({}, "${MappingSecurityGroup}"), (EXISTING_CLUSTER, EXISTING_CLUSTER["ExistingSecurityGroupId"])):
            access = render(**parameters).properties("QuotesMapping")["SourceAccessConfigurations"]
            self.assertEqual([a["URI"] for a in access if a["Type"] == "VPC_SECURITY_GROUP"], [f"security_group:{group}"])
            subnets = [a["URI"] for a in access if a["Type"] == "VPC_SUBNET"]
            self.assertEqual(len(set(subnets)), 2)
            functions = render(**parameters).properties("FetchQuotesFunction")["VpcConfig"]["SubnetIds"]
            self.assertEqual(subnets, [f"subnet:{subnet}" for subnet in functions])


class Routes(unittest.TestCase):
    def test_private_subnets_leave_through_the_nat_that_was_chosen(self) -> None:
        gateway = render().properties("PrivateDefaultRoute")
        self.assertEqual((gateway["NatGatewayId"], gateway.get("NetworkInterfaceId")), ("${NatGateway}", None))
        broker = render(Egress="broker").properties("PrivateDefaultRoute")
        self.assertEqual((broker.get("NatGatewayId"), broker["NetworkInterfaceId"]), (None, "${BrokerInterface1}"))

    def test_every_subnet_has_routes_and_only_the_public_ones_lead_straight_out(self) -> None:
        for parameters in ({}, {"Egress": "broker"}, {"BrokerCount": "3"}):
            rendered = render(**parameters)
            tables = {name(a["SubnetId"]): name(a["RouteTableId"]) for a in rendered.of_type("AWS::EC2::SubnetRouteTableAssociation").values()}
            subnets = rendered.of_type("AWS::EC2::Subnet")
            self.assertEqual(set(tables), set(subnets))
            public = {subnet for subnet, table in tables.items() if table == "PublicRoutes"}
            self.assertEqual(public, {"PublicSubnet"})
            for subnet in subnets.values():
                self.assertFalse(subnet.get("MapPublicIpOnLaunch"))
            ranges = [subnet["CidrBlock"] for subnet in subnets.values()]
            self.assertEqual(len(ranges), len(set(ranges)))

    def test_only_the_nat_has_a_public_address_and_takes_what_is_not_its_own(self) -> None:
        for parameters, is_nat in (({}, False), ({"Egress": "broker"}, True), ({"BrokerCount": "3"}, False)):
            rendered = render(**parameters)
            (interface,) = rendered.properties("BrokerLaunchTemplate")["LaunchTemplateData"]["NetworkInterfaces"]
            self.assertIs(interface["AssociatePublicIpAddress"], is_nat)
            self.assertIs(rendered.properties("BrokerInterface1")["SourceDestCheck"], not is_nat)
            subnet = "${PublicSubnet}" if is_nat else "${PrivateSubnet1}"
            self.assertEqual(rendered.properties("BrokerInterface1")["SubnetId"], subnet)


if __name__ == "__main__":
    unittest.main()

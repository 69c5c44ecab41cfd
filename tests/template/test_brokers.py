"""The brokers: what outlives an instance, in which order they come and go, and what the user data does when it runs."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from tests.template.deployments import DEPLOYMENTS, EXISTING_CLUSTER
from tests.template.rendered import REFERENCE, Rendered, references, render
from tests.template.transformed import transformed

BROKER = pathlib.Path(__file__).parents[2] / "broker"

WITH_BROKERS = {name: parameters for name, parameters in DEPLOYMENTS.items() if "cluster" not in name}


def physical(text: str) -> str:
    """With ids where references stand, as an instance sees it."""
    return REFERENCE.sub(r"id-of-\1", text)


def nodes(rendered: Rendered) -> list[str]:
    return sorted(rendered.of_type("AWS::AutoScaling::AutoScalingGroup"))


class WhatOutlivesAnInstance(unittest.TestCase):
    def test_each_node_has_a_volume_an_interface_and_a_name_in_one_zone(self) -> None:
        for deployment, parameters in WITH_BROKERS.items():
            with self.subTest(deployment):
                rendered = render(**parameters)
                self.assertEqual(len(nodes(rendered)), int(parameters.get("BrokerCount", "1")))
                for node in nodes(rendered):
                    number = node.removeprefix("Broker")
                    (subnet,) = rendered.properties(node)["VPCZoneIdentifier"]
                    self.assertEqual(rendered.properties(f"BrokerInterface{number}")["SubnetId"], subnet)
                    record = rendered.properties(f"BrokerRecord{number}")
                    self.assertEqual(record["Name"], f"broker-{number}.tickerlake.internal")
                    self.assertEqual(record["ResourceRecords"], [f"${{BrokerInterface{number}.PrimaryPrivateIpAddress}}"])
                    self.assertEqual(self.zone(rendered, f"BrokerVolume{number}"), self.zone_of_subnet(rendered, subnet, parameters))

    def zone(self, rendered: Rendered, volume: str) -> str:
        zone = rendered.properties(volume)["AvailabilityZone"]
        if match := re.fullmatch(r"\$\{(\w+)\.AvailabilityZone\}", zone):
            return rendered.properties(match.group(1))["AvailabilityZone"]
        return zone

    def zone_of_subnet(self, rendered: Rendered, subnet: str, parameters: dict[str, str]) -> str:
        if "ExistingSubnetIds" in parameters:
            given = dict(zip(parameters["ExistingSubnetIds"].split(","), parameters["ExistingSubnetZones"].split(",")))
            return given[subnet]
        (name,) = references(subnet)
        return rendered.properties(name)["AvailabilityZone"]

    def test_the_bootstrap_name_has_the_addresses_of_all(self) -> None:
        for parameters in WITH_BROKERS.values():
            rendered = render(**parameters)
            addresses = [f"${{BrokerInterface{node.removeprefix('Broker')}.PrimaryPrivateIpAddress}}" for node in nodes(rendered)]
            self.assertEqual(rendered.properties("BootstrapRecord")["ResourceRecords"], addresses)

    def test_volumes_are_encrypted_and_leave_a_snapshot(self) -> None:
        rendered = render(BrokerCount="3")
        self.assertEqual(len(rendered.of_type("AWS::EC2::Volume")), 3)
        for name, volume in rendered.of_type("AWS::EC2::Volume").items():
            self.assertEqual((volume["Encrypted"], volume["VolumeType"]), (True, "gp3"), name)
            resource = rendered.resources[name]
            self.assertEqual((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("Snapshot", "Snapshot"), name)

    def test_three_brokers_replace_nothing_that_one_broker_has(self) -> None:
        one, three = render(), render(BrokerCount="3")
        self.assertLessEqual(set(one.resources), set(three.resources))
        # Metadata says what to wait for, which changes nothing of what is there.
        bare = [{name: {**resource, "Metadata": None} for name, resource in side.resources.items()} for side in (one, three)]
        changed = {name for name in one.resources if bare[0][name] != bare[1][name]}
        # Nothing that holds data or an address, nor the mapping: only another version of the launch template, and so other
        # instances, and more of the same (resources, addresses, metrics).
        self.assertEqual(changed, {"BrokerLaunchTemplate", "BrokerRole", "BootstrapRecord", "BrokerDiskAlarm", "BrokerCertificateAlarm"})


class Instances(unittest.TestCase):
    def test_a_newer_image_is_no_reason_to_replace_an_instance(self) -> None:
        for name, parameter in transformed()["Parameters"].items():
            # Such a parameter is looked up at each deployment.
            self.assertNotIn("AWS::SSM::Parameter", parameter["Type"], name)
        image = render().properties("BrokerLaunchTemplate")["LaunchTemplateData"]["ImageId"]
        self.assertRegex(image, r"^resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-.*-arm64$")

    def test_instances_are_closed(self) -> None:
        data = render().properties("BrokerLaunchTemplate")["LaunchTemplateData"]
        self.assertEqual((data["MetadataOptions"]["HttpTokens"], data["MetadataOptions"]["HttpPutResponseHopLimit"]), ("required", 1))
        self.assertNotIn("KeyName", data)
        for device in data["BlockDeviceMappings"]:
            self.assertIs(device["Ebs"]["Encrypted"], True)

    def test_every_instance_type_is_arm64(self) -> None:
        types = transformed()["Parameters"]["BrokerInstanceType"]["AllowedValues"]
        for instance_type in types:
            # The letter after the generation is the processor: g for Graviton.
            self.assertRegex(instance_type, r"^[a-z]\d+g[a-z]*\.")

    def test_the_old_instance_is_gone_before_the_new_one_starts_and_both_are_waited_for(self) -> None:
        rendered = render(BrokerCount="3")
        for node in nodes(rendered):
            group = rendered.resources[node]
            self.assertEqual((group["Properties"]["MinSize"], group["Properties"]["MaxSize"]), ("1", "1"))
            update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
            self.assertEqual((update["MinInstancesInService"], update["WaitOnResourceSignals"]), (0, True))
            self.assertEqual(update["PauseTime"], "PT15M")
            # The last of three also waits for copies.
            timeout = "PT90M" if node == "Broker3" else "PT15M"
            self.assertEqual(group["CreationPolicy"]["ResourceSignal"], {"Count": 1, "Timeout": timeout})
            self.assertEqual(group["Properties"]["LaunchTemplate"]["Version"], "${BrokerLaunchTemplate.LatestVersionNumber}")

    def test_nodes_come_one_after_the_other_and_their_clients_after_the_last(self) -> None:
        rendered = render(BrokerCount="3")
        self.assertIn("Broker1", rendered.resources["Broker2"]["DependsOn"])
        self.assertIn("Broker2", rendered.resources["Broker3"]["DependsOn"])
        for parameters, last in (({"BrokerCount": "3"}, "Broker3"), ({}, "Broker1")):
            for client in ("QuotesMapping", "FetchQuotesFunction"):
                self.assertEqual(references(render(**parameters).resources[client]["Metadata"]), {last}, client)

    def test_an_instance_finds_its_names_its_clients_rules_and_a_way_out(self) -> None:
        for deployment, parameters in WITH_BROKERS.items():
            rendered = render(**parameters)
            waits_for: set[str] = set()
            for node in nodes(rendered):
                waits_for |= set(rendered.resources[node]["DependsOn"]) | references(rendered.resources[node]["Metadata"])
                (subnet,) = rendered.properties(node)["VPCZoneIdentifier"]
                names = {f"BrokerRecord{node.removeprefix('Broker')}", "BootstrapRecord"}
                routes = {f"{name}Routes" for name in references(subnet)} | set(rendered.of_type("AWS::EC2::Route"))
                self.assertLessEqual(names | routes, waits_for, (deployment, node))
            # The last one tries the whole cluster, so all rules stand by then, but those of who passes through.
            rules = {*rendered.of_type("AWS::EC2::SecurityGroupIngress"), *rendered.of_type("AWS::EC2::SecurityGroupEgress")}
            self.assertLessEqual(rules - {"NatFromProducer", "NatFromMapping"}, waits_for, deployment)


class UserData(unittest.TestCase):
    """The user data is run, with an instance's tools replaced by recorders."""

    def script(self, **parameters: str) -> str:
        return render(**parameters).properties("BrokerLaunchTemplate")["LaunchTemplateData"]["UserData"]

    def run_it(self, node: str, **parameters: str) -> tuple[dict[str, str], str]:
        """The environment that it writes, and what it asked for; paths are under a folder of the test's."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            tools = root / "bin"
            tools.mkdir()
            answers = {
                # One for the token, one for the tag, one for the files.
                "curl": f'case "$*" in *api/token*) echo token ;; *tags/instance/Node*) echo {node} ;; *) touch "$5" ;; esac',
                "aws": "echo https://files.example.com/broker.zip?signed",
                "python3": f"mkdir -p {root}/opt/tickerlake; echo 'touch {root}/installed' > {root}/opt/tickerlake/install.sh",
            }
            for tool, answer in answers.items():
                (tools / tool).write_text(f'#!/bin/bash\necho "{tool} $*" >> {root}/asked\n{answer}\n')
                (tools / tool).chmod(0o755)
            (root / "tmp").mkdir()
            script = re.sub("/(etc|opt|tmp)/", rf"{root}/\1/", physical(self.script(**parameters)))
            environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
            subprocess.run(["bash"], input=script, text=True, check=True, env=environment, timeout=60)
            self.assertTrue((root / "installed").exists(), "install.sh runs last")
            lines = (root / "etc/tickerlake/broker.env").read_text().splitlines()
            return dict(line.split("=", 1) for line in lines), (root / "asked").read_text()

    def told_in_the_contract(self) -> set[str]:
        text = (BROKER / "README.md").read_text(encoding="utf-8")
        table = text[text.index("has a line `NAME=value`") : text.index("Passwords are letters and digits")]
        return set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))

    def test_it_is_small_and_its_shell_variables_survive_the_substitution(self) -> None:
        for name, parameters in WITH_BROKERS.items():
            script = self.script(**parameters)
            # EC2 takes 16 KB in base64.
            self.assertLess(len(script.encode()), 12_000, name)
            # What is left of ${...} refers to resources: no shell variable was taken for one.
            self.assertLessEqual(references(script), set(render(**parameters).resources), name)

    def test_each_node_is_told_what_is_its_own(self) -> None:
        for node in ("1", "2", "3"):
            told, _ = self.run_it(node, BrokerCount="3")
            self.assertEqual((told["STACK_NODE"], told["STACK_NODES"], told["STACK_RESOURCE"]), (node, "3", f"Broker{node}"))
            self.assertEqual((told["STACK_VOLUME"], told["STACK_INTERFACE"]), (f"id-of-BrokerVolume{node}", f"id-of-BrokerInterface{node}"))

    def test_everything_of_the_contract_is_told_in_systemds_form(self) -> None:
        told, _ = self.run_it("1", Egress="broker", KafkaArchiveS3Uri="s3://archive/kafka.tgz")
        self.assertEqual(set(told), self.told_in_the_contract())
        for name, value in told.items():
            self.assertRegex(value, r"^[^\s'\"\\]+$", name)
        self.assertEqual((told["STACK_NAT"], told["STACK_NETWORK"]), ("yes", "10.42.0.0/22"))
        without, _ = self.run_it("1")
        self.assertEqual((without["STACK_NAT"], without["STACK_NETWORK"]), ("no", ""))

    def test_the_broker_and_the_mapping_agree_on_names(self) -> None:
        told, _ = self.run_it("1")
        mapping = render().properties("QuotesMapping")
        self.assertEqual(mapping["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"], told["STACK_CONSUMER_GROUP"])
        self.assertEqual(mapping["Topics"], [told["STACK_TOPIC"]])
        servers = mapping["SelfManagedEventSource"]["Endpoints"]["KafkaBootstrapServers"]
        self.assertEqual(servers, [f"bootstrap.{told['STACK_ZONE']}:9096"])
        self.assertEqual(render().properties("BootstrapRecord")["Name"], f"bootstrap.{told['STACK_ZONE']}")
        secrets = {access["Type"]: physical(access["URI"]) for access in mapping["SourceAccessConfigurations"]}
        self.assertEqual(secrets["SASL_SCRAM_512_AUTH"], told["STACK_CONSUMER_SECRET"])
        self.assertEqual(secrets["SERVER_ROOT_CA_CERTIFICATE"], told["STACK_CA_SECRET"])
        variables = render().properties("FetchQuotesFunction")["Environment"]["Variables"]
        self.assertEqual(physical(variables["KAFKA_SECRET_ARN"]), told["STACK_PRODUCER_SECRET"])
        self.assertEqual(physical(variables["KAFKA_CA_SECRET_ARN"]), told["STACK_CA_SECRET"])
        self.assertEqual(variables["KAFKA_BOOTSTRAP_SERVERS"], servers[0])

    def test_its_files_are_those_of_the_layer_that_the_template_makes_of_them(self) -> None:
        (layer,) = render().of_type("AWS::Lambda::LayerVersion")
        _, asked = self.run_it("1")
        self.assertIn(f"aws lambda get-layer-version-by-arn --arn id-of-{layer} ", asked)
        self.assertIn("https://files.example.com/broker.zip?signed", asked)


class Files(unittest.TestCase):
    def test_an_instance_gets_what_runs_there_and_no_text_for_people(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["make", "--silent", "-C", str(BROKER), "build-BrokerFiles", f"ARTIFACTS_DIR={folder}"], check=True, timeout=60)
            packed = {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file()}
        written = {str(path.relative_to(BROKER)) for path in BROKER.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        self.assertEqual(written - packed, {"Makefile", "README.md", "pom.xml", ".shellcheckrc"})
        self.assertLessEqual({"install.sh", "boot.sh", "tickerlake-broker.service"}, packed)


class Secrets(unittest.TestCase):
    def test_passwords_are_generated_and_written_nowhere(self) -> None:
        for name, secret in render().of_type("AWS::SecretsManager::Secret").items():
            self.assertNotIn("SecretString", secret, name)
        for name, user in (("ProducerSecret", "producer"), ("ConsumerSecret", "consumer")):
            generated = render().properties(name)["GenerateSecretString"]
            self.assertEqual(generated["SecretStringTemplate"], f'{{"username": "{user}"}}')
            self.assertEqual((generated["GenerateStringKey"], generated["ExcludePunctuation"]), ("password", True))
            self.assertGreaterEqual(generated["PasswordLength"], 32)

    def test_an_existing_clusters_public_authority_needs_no_secret(self) -> None:
        access = render(**EXISTING_CLUSTER).properties("QuotesMapping")["SourceAccessConfigurations"]
        self.assertNotIn("SERVER_ROOT_CA_CERTIFICATE", [entry["Type"] for entry in access])


if __name__ == "__main__":
    unittest.main()

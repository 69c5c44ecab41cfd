"""The broker's scripts with Apache Kafka itself: who gets in, and that nothing acknowledged is lost, whatever is done to it."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from tests.broker import release
from tests.broker.clients import Producer, attempts, rotate_password, settings, stored
from tests.broker.machines import Machine, World

REFUSED = {"TopicAuthorizationException", "GroupAuthorizationException", "ClusterAuthorizationException"}


class OneBroker(unittest.TestCase):
    """A stack with one node."""

    def test_who_gets_in_and_what_survives(self) -> None:
        world = World(self, kafka=True, version=release.BEFORE)
        machine = world.machine()
        machine.boot()
        self.assertEqual([said["--exit-code"] for said in world.state()["signals"]], ["0"])
        self.check_who_gets_in(world)

        cluster = world.secret("cluster")["cluster_id"]
        producer = Producer(world)
        # Each of these takes Kafka away from a producer at work, or its login.
        machine.cuts_kafka_off()
        producer.goes_on()
        rotate_password(world, "producer")
        settings(world, "producer")
        machine.run("operate.sh", "renew-certificate")
        producer.goes_on()
        world.release(release.version())
        machine.run("operate.sh", "upgrade", world.version, world.sha512, f"file://{world.archive}")
        self.assertEqual((machine.root / "opt/kafka").readlink().name, f"kafka-{world.version}")
        producer.goes_on()
        self.assertTrue(release.BEFORE.startswith(self.features(machine)), "what the old version could is still all that is used")
        machine.run("operate.sh", "finish-upgrade")
        self.assertTrue(world.version.startswith(self.features(machine)))
        producer.goes_on()
        # The instance goes while records come; its successor has the volume and the address.
        machine.terminate()
        world.machine().boot()
        producer.goes_on()
        acknowledged = producer.stop()
        self.assertEqual(sorted(acknowledged - stored(world)), [], "acknowledged and not there")
        self.assertEqual(world.secret("cluster")["cluster_id"], cluster)

    def features(self, machine: Machine) -> str:
        """The version whose records the cluster may write, as `4.2`."""
        described = machine.run("operate.sh", "kafka", "FeatureCommand", "describe")
        (line,) = [line for line in described.splitlines() if "metadata.version" in line]
        return line.split("FinalizedVersionLevel: ")[1].split("-")[0]

    def check_who_gets_in(self, world: World) -> None:
        """The two users may do what their functions do, and nothing else; all others stay outside."""
        may = {
            "producer": ["produce=quotes", "describe-topic=quotes"],
            "consumer": ["describe-topic=quotes", "consume=quotes in stack-write-quotes", "describe-cluster-settings=1"],
        }
        may_not = {
            "producer": ["consume=quotes in stack-write-quotes", "produce=other", "describe-cluster-settings=1"],
            "consumer": ["produce=quotes", "consume=quotes in other"],
        }
        nobody_may = ["create-topic=other", "delete-topic=quotes", "read-rights", "read-users"]
        users = [(settings(world, user), [*may[user], *may_not[user], *nobody_may]) for user in may]
        strangers = self.strangers(world)
        came = attempts(world, *users, *((file, ["describe-topic=quotes"]) for file, _ in strangers))
        for user, results in zip(may, came):
            self.assertEqual({action: results[action] for action in may[user]}, dict.fromkeys(may[user], "allowed"), user)
            refused = [*may_not[user], *nobody_may]
            self.assertEqual({action: results[action] for action in refused if results[action] not in REFUSED}, {}, user)
        for (file, refusal), results in zip(strangers, came[2:]):
            self.assertEqual(results, {"describe-topic=quotes": refusal}, file.name)

    def strangers(self, world: World) -> list[tuple[Path, str]]:
        """Who has no password, no TLS, another password, or trusts another authority; and how that shows."""
        wrong = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="producer" password="guessed";'
        other = World(self)
        other.machine().boot()
        authority = other.folder / "ca.pem"
        authority.write_text(other.secret("ca")["certificate"], encoding="utf-8")
        return [
            (settings(world, "producer", "without-password", security_protocol="SSL"), "TimeoutException"),
            (settings(world, "producer", "without-tls", security_protocol="SASL_PLAINTEXT"), "TimeoutException"),
            (settings(world, "producer", "another-password", sasl_jaas_config=wrong), "SaslAuthenticationException"),
            (settings(world, "producer", "another-authority", ssl_truststore_location=str(authority)), "SslAuthenticationException"),
        ]


class ThreeBrokers(unittest.TestCase):
    """One node that becomes three, of which one loses its disk."""

    def test_one_becomes_three_and_one_is_lost(self) -> None:
        world = World(self, nodes=3, kafka=True)
        alone = world.machine(1, STACK_NODES="1")
        alone.boot()
        cluster = world.secret("cluster")["cluster_id"]
        producer = Producer(world)
        # As CloudFormation does it: node 1 is replaced, then the others come, one after the other.
        alone.terminate()
        machines = [world.machine(node) for node in (1, 2, 3)]
        for machine in machines:
            machine.boot()
        producer.goes_on()
        self.assert_three_copies(machines[0].run("operate.sh", "kafka", "TopicCommand", "--describe"))
        self.assertEqual([said["--exit-code"] for said in world.state()["signals"]], ["0"] * 4)

        # The first of them goes with its disk; the other two have all of its records and carry on.
        machines[0].terminate()
        producer.goes_on()
        state = world.state()
        world.add_volume(state, "vol-9")
        world.change(state)
        again = world.machine(1, STACK_VOLUME="vol-9")
        again.boot()
        again.run("operate.sh", "restart")
        producer.goes_on()
        status = machines[1].run("operate.sh", "status")
        voters = json.loads(status.split("CurrentVoters:")[1].split("\n")[0])
        self.assertEqual(sorted(voter["id"] for voter in voters), [1, 2, 3])
        self.assertEqual(world.secret("cluster")["cluster_id"], cluster)
        acknowledged = producer.stop()
        self.assertEqual(sorted(acknowledged - stored(world)), [], "acknowledged and not there")

    def assert_three_copies(self, described: str) -> None:
        """Each partition of each topic, the cluster's own included."""
        partitions = [line for line in described.splitlines() if "\tPartition:" in line]
        self.assertGreater(len(partitions), 8)
        (quotes,) = [line for line in described.splitlines() if line.startswith("Topic: quotes")]
        self.assertIn("min.insync.replicas=2", quotes)
        for partition in partitions:
            replicas = partition.split("Replicas: ")[1].split("\t")[0]
            self.assertEqual(sorted(replicas.split(",")), ["1", "2", "3"], partition)

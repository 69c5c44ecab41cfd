"""The broker's scripts with Apache Kafka itself: who gets in, and that nothing acknowledged is lost, whatever is done to it."""

from __future__ import annotations

import json
import unittest

from tests.broker import release
from tests.broker.clients import Producer, attempts, rotate_password, settings, stored
from tests.broker.machines import World

REFUSED = {"TopicAuthorizationException", "GroupAuthorizationException", "ClusterAuthorizationException"}


class OneBroker(unittest.TestCase):
    """A stack with one node."""

    def test_who_gets_in_and_what_survives(self) -> None:
        world = World(self, kafka=True)
        machine = world.machine()
        machine.boot()
        self.assertEqual([said["--exit-code"] for said in world.state()["signals"]], ["0"])
        with self.subTest("rights"):
            self.check_rights(world)
        with self.subTest("strangers"):
            self.check_strangers(world)

        cluster = world.secret("cluster")["cluster_id"]
        producer = Producer(world)
        # Each of these takes Kafka away from a producer at work, or its login.
        machine.cuts_kafka_off()
        producer.goes_on()
        rotate_password(world, "producer")
        settings(world, "producer")
        machine.run("operate.sh", "renew-certificate")
        producer.goes_on()
        archive = world.folder / "kafka_2.13-9.9.9.tgz"
        machine.run("operate.sh", "upgrade", "9.9.9", release.archive(archive, release.jars()), f"file://{archive}")
        self.assertEqual((machine.root / "opt/kafka").readlink().name, "kafka-9.9.9")
        producer.goes_on()
        # The instance goes while records come; its successor has the volume and the address.
        machine.terminate()
        world.machine().boot()
        producer.goes_on()
        acknowledged = producer.stop()
        self.assertEqual(acknowledged - stored(world), set())
        self.assertEqual(world.secret("cluster")["cluster_id"], cluster)

    def check_rights(self, world: World) -> None:
        """The two users may do what their functions do, and nothing else."""
        mays = ["produce=quotes", "describe-topic=quotes"]
        may_nots = ["produce=other", "consume=quotes in stack-write-quotes", "create-topic=other", "delete-topic=quotes",
                    "describe-cluster-settings=1", "read-rights", "read-users"]
        self.check_attempts(world, "producer", mays, may_nots)
        mays = ["describe-topic=quotes", "consume=quotes in stack-write-quotes", "describe-cluster-settings=1"]
        may_nots = ["produce=quotes", "consume=quotes in other", "create-topic=other", "delete-topic=quotes", "read-rights", "read-users"]
        self.check_attempts(world, "consumer", mays, may_nots)

    def check_attempts(self, world: World, user: str, mays: list[str], may_nots: list[str]) -> None:
        """Each action is allowed, or refused for want of the right."""
        came = attempts(world, settings(world, user), *mays, *may_nots)
        self.assertEqual({action: came[action] for action in mays}, dict.fromkeys(mays, "allowed"), user)
        self.assertEqual({action: refusal for action in may_nots if (refusal := came[action]) not in REFUSED}, {}, user)

    def check_strangers(self, world: World) -> None:
        """Who has no password, another one, or another authority stays outside."""
        wrong = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="producer" password="guessed";'
        other = World(self).machine()
        other.boot()
        authority = other.root / "run/tickerlake/tls/ca.pem"
        for file, refusal in (
            (settings(world, "producer", security_protocol="SSL"), "TimeoutException"),
            (settings(world, "producer", security_protocol="PLAINTEXT", a="b"), "TimeoutException"),
            (settings(world, "producer", sasl_jaas_config=wrong, a="b", c="d"), "SaslAuthenticationException"),
            (settings(world, "producer", ssl_truststore_location=str(authority), a="b", c="d", e="f"), "SslAuthenticationException"),
        ):
            with self.subTest(file.name):
                self.assertEqual(attempts(world, file, "describe-topic=quotes"), {"describe-topic=quotes": refusal})


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
        self.assertEqual(acknowledged - stored(world), set())

    def assert_three_copies(self, described: str) -> None:
        """Each partition of each topic, the cluster's own included."""
        partitions = [line for line in described.splitlines() if "\tPartition:" in line]
        self.assertGreater(len(partitions), 8)
        for partition in partitions:
            replicas = partition.split("Replicas: ")[1].split("\t")[0]
            self.assertEqual(sorted(replicas.split(",")), ["1", "2", "3"], partition)

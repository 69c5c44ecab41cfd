"""The boot script with everything emulated but bash, openssl, blkid and tar: what it does in which order, and again, and cut off."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import unittest
from pathlib import Path

from tests.broker import emulated_instance, emulated_kafka, release, shared
from tests.broker.machines import SECRETS, Machine, World

ARM = {"TEST_CUTS_POWER": "yes"}


def cluster_of(machine: Machine) -> str:
    """The cluster that the machine's volume belongs to."""
    return (machine.data() / "meta.properties").read_text(encoding="utf-8").split("cluster.id=")[1].split("\n")[0]


class OneBroker(unittest.TestCase):
    """A stack with one node."""

    def setUp(self) -> None:
        self.world = World(self)

    def test_first_boot(self) -> None:
        machine = self.world.machine()
        machine.boot()
        self.assertEqual(len(self.world.calls("mkfs.xfs")), 1)
        (said,) = self.world.state()["signals"]
        expected = {"--exit-code": "0", "--stack": "stack", "--resource": "Broker1", "--region": "us-east-1"}
        self.assertEqual({name: said[name] for name in expected}, expected)
        # The authority is with the clients, and it signed the node's certificate for both of its names.
        certificate = machine.root / "run/tickerlake/tls/broker.pem"
        authority = machine.root / "authority.pem"
        authority.write_text(self.world.secret("ca")["certificate"], encoding="utf-8")
        for name in ("broker-1.stack.internal", "bootstrap.stack.internal"):
            check = ["openssl", "verify", "-CAfile", str(authority), "-purpose", "sslserver", "-verify_hostname", name, str(certificate)]
            subprocess.run(check, check=True, stdout=subprocess.DEVNULL)
        self.assertNotIn("PRIVATE KEY", json.dumps(self.world.secret("ca")))

    def test_the_order_is_volume_authority_kafka_probe_signal(self) -> None:
        self.world.machine().boot()
        commands = [" ".join(command) for command in self.world.calls()]

        def first(what: str) -> int:
            return next(index for index, command in enumerate(commands) if what in command)

        order = ["attach-volume", "mkfs.xfs", "mount --types", "put-secret-value --secret-id ca", "StorageTool format",
                 "restart kafka.service", "ConsoleConsumer", "cfn-signal --exit"]
        self.assertEqual(sorted(order, key=first), order)

    def test_reboot_changes_nothing_that_lasts(self) -> None:
        machine = self.world.machine()
        machine.boot()
        before = self.world.state()["secrets"]
        certificate = (machine.root / "run/tickerlake/tls/broker.pem").read_bytes()
        calls = len(self.world.calls())
        machine.power_off()
        machine.boot()
        self.assertEqual(self.world.state()["secrets"], before)
        self.assertNotEqual((machine.root / "run/tickerlake/tls/broker.pem").read_bytes(), certificate)
        again = [" ".join(command) for command in self.world.calls()[calls:]]
        self.assertFalse([call for call in again if re.search("attach-(volume|net)|mkfs|dnf|StorageTool format|TopicCommand|ConfigCommand", call)])

    def test_a_replaced_instance_goes_on_with_the_volume(self) -> None:
        first = self.world.machine()
        first.boot()
        cluster = cluster_of(first)
        first.terminate()
        second = self.world.machine()
        second.boot()
        self.assertEqual(cluster_of(second), cluster)
        self.assertEqual(len(self.world.calls("mkfs.xfs")), 1)

    def test_an_instance_waits_for_the_one_before_it(self) -> None:
        old = self.world.machine()
        old.boot()
        new = self.world.machine()
        new.run("install.sh")
        booting = new.start("boot.sh")
        while "still attached to i-1" not in new.log():
            self.assertIsNone(booting.poll(), new.log())
        self.assertEqual(len(self.world.calls("aws", "ec2", "attach-volume")), 1)
        old.terminate()
        booting.communicate(timeout=shared.LIMIT)
        self.assertEqual(booting.returncode, 0, new.log())

    def test_power_cut_after_each_change(self) -> None:
        machine = self.world.machine()
        machine.run("install.sh")
        cuts = 0
        while (booting := machine.start("boot.sh", **ARM)).wait(timeout=shared.LIMIT) == -signal.SIGKILL:
            booting.communicate()
            cuts += 1
            machine.power_off()
            self.assertLess(cuts, 50)
        booting.communicate()
        self.assertEqual(booting.returncode, 0, machine.log())
        cut = self.world.state()["cut"]
        for change in ("attach-volume", "networkctl reload", "half of mkfs", "mkfs", "mount", "dnf", "half of format", "format", "kafka.service", "passwords", "probe"):
            self.assertIn(change, cut)
        self.assertEqual(cuts, len(cut))
        # One authority and one cluster were ever made, and the volume was formatted again only while nothing was on it.
        (authority,) = {json.loads(version["text"])["authority"] for version in self.world.state()["secrets"]["cluster"]}
        self.assertEqual(self.world.secret("ca")["certificate"].strip(), authority.strip())
        clusters = {json.loads(version["text"]).get("cluster_id") for version in self.world.state()["secrets"]["cluster"]} - {None}
        self.assertEqual(clusters, {cluster_of(machine)})
        self.assertEqual(len(self.world.calls("mkfs.xfs")), 3)

    def test_a_rebuilt_disk_is_another_cluster(self) -> None:
        machine = self.world.machine()
        machine.boot()
        old = cluster_of(machine)
        topics = len([call for call in self.world.calls("java") if any("TopicCommand" in word for word in call)])
        machine.terminate()
        state = self.world.state()
        self.world.add_volume(state, "vol-9")
        self.world.change(state)
        rebuilt = self.world.machine(STACK_VOLUME="vol-9")
        rebuilt.boot()
        new = (self.world.folder / "volumes/vol-9/files/data/meta.properties").read_text(encoding="utf-8")
        self.assertNotIn(old, new)
        self.assertIn(self.world.secret("cluster")["cluster_id"], new)
        again = [call for call in self.world.calls("java") if any("TopicCommand" in word for word in call)]
        self.assertEqual(len(again), 2 * topics, "the new cluster has no topic yet")

    def test_a_volume_that_holds_anything_is_never_formatted(self) -> None:
        for what, offset in ((b"somebody's", 0), (b"somebody's", 15 << 20), (emulated_instance.superblock(), 0)):
            with self.subTest(what=what[:4], offset=offset):
                world = World(self)
                with open(world.folder / "volumes/vol-1/device", "r+b") as device:
                    device.seek(offset)
                    device.write(what)
                booting = world.machine()
                booting.run("install.sh")
                process = booting.start("boot.sh")
                process.communicate(timeout=shared.LIMIT)
                self.assertEqual(process.returncode, 1)
                self.assertEqual(world.calls("mkfs.xfs"), [])
                self.assertEqual([said["--exit-code"] for said in world.state()["signals"]], ["1"])

    def test_failure_is_signalled_with_its_reason(self) -> None:
        machine = self.world.machine()
        machine.put_release(self.world.archive, "0" * 128)
        machine.run("install.sh")
        process = machine.start("boot.sh")
        process.communicate(timeout=shared.LIMIT)
        self.assertEqual(process.returncode, 1)
        (said,) = self.world.state()["signals"]
        self.assertEqual(said["--exit-code"], "1")
        self.assertRegex(said["--reason"], f"^installing Kafka {release.version()} failed: Kafka's archive from file:.* is not the one")
        self.assertEqual((machine.root / "dev/console").read_text(encoding="utf-8"), said["--reason"])
        self.assertFalse((machine.root / f"opt/kafka-{release.version()}").exists())

    def test_kafka_comes_from_a_bucket(self) -> None:
        (self.world.folder / "buckets").mkdir()
        self.world.archive.rename(self.world.folder / "buckets/kafka.tgz")
        machine = self.world.machine(STACK_KAFKA_URL="s3://kafka.tgz")
        machine.boot()
        self.assertTrue((machine.root / "opt/kafka/LICENSE").exists())

    def test_a_node_that_is_the_nat(self) -> None:
        machine = self.world.machine(STACK_NAT="yes", STACK_NETWORK="10.42.0.0/16")
        machine.boot()
        (rules,) = self.world.calls("nft")
        self.assertEqual(rules[1:7], ["-D", "fixed=ens6", "-D", "first=ens5", "-D", "network=10.42.0.0/16"])
        self.assertIn("\nIncomingInterface=ens5\n", self.world.state()["declared"]["i-1"])

    def test_an_interface_that_answers_by_another_is_waited_for(self) -> None:
        machine = self.world.machine()
        machine.run("install.sh")
        # networkd was told of another address, as by somebody's own hand.
        (machine.bin / "networkctl").unlink()
        (machine.bin / "networkctl").symlink_to("/bin/true")
        process = machine.start("boot.sh", TICKERLAKE_PATIENCE="3")
        process.communicate(timeout=shared.LIMIT)
        self.assertEqual(process.returncode, 1)
        self.assertIn("waiting for the network interface eni-1", self.world.state()["signals"][0]["--reason"])

    def test_the_stack_hears_the_reason_before_it_gives_up(self) -> None:
        holder = self.world.machine()
        holder.boot()
        waiting = self.world.machine()
        waiting.run("install.sh")
        process = waiting.start("boot.sh", TICKERLAKE_PATIENCE="3")
        process.communicate(timeout=shared.LIMIT)
        self.assertEqual(process.returncode, 1)
        said = self.world.state()["signals"][-1]
        self.assertEqual(said["--exit-code"], "1")
        self.assertEqual(said["--reason"], "attaching the volume and the network interface failed: the volume is still attached to i-1")
        self.assertEqual((waiting.root / "dev/console").read_text(encoding="utf-8"), said["--reason"])

    def test_kafka_comes_from_the_archive_if_the_mirror_has_it_no_more(self) -> None:
        machine = self.world.machine()
        shared.put_command(machine.bin, "curl")
        release_file = machine.root / "opt/tickerlake/kafka.release"
        text = release_file.read_text(encoding="utf-8")
        release_file.write_text(re.sub("KAFKA_URL=.*", "", text), encoding="utf-8")
        machine.boot()
        asked = [call[-1].split("/")[2] for call in self.world.calls("curl")]
        self.assertEqual(asked, ["dlcdn.apache.org", "archive.apache.org"])
        self.assertTrue((machine.root / "opt/kafka/LICENSE").exists())

    def test_no_secret_is_seen(self) -> None:
        machine = self.world.machine()
        machine.boot()
        machine.run("metrics.sh")
        cluster = self.world.secret("cluster")
        hidden = [*SECRETS.values(), *cluster["authority_key"].splitlines()[1:-1]]
        seen = (self.world.folder / "calls").read_text(encoding="utf-8") + machine.log()
        for folder in ("etc/systemd", "opt", "var/lib/kafka", "var/lib/tickerlake"):
            for file in (machine.root / folder).rglob("*"):
                seen += file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        for secret in hidden:
            self.assertNotIn(secret, seen)
        for file in (machine.root / "run/tickerlake").rglob("*"):
            if file.is_file() and any(secret in file.read_text(encoding="utf-8") for secret in hidden):
                self.assertEqual(file.stat().st_mode & 0o077, 0, file)

    def test_another_authority_in_three_steps(self) -> None:
        machine = self.world.machine()
        machine.boot()
        old = self.world.secret("ca")["certificate"].strip()
        seen = {}
        # Each step twice, as by the operator of more nodes than one.
        for step in ("new", "new", "use", "use", "drop", "drop"):
            machine.run("operate.sh", "authority", step)
            trusted = self.world.secret("ca")["certificate"]
            seen[step] = (trusted.count("BEGIN"), old in trusted, self.is_signed_by(machine, old))
            self.assertTrue(self.is_signed_by(machine, trusted), f"after {step} clients would not get in")
        self.assertEqual(seen, {"new": (2, True, True), "use": (2, True, False), "drop": (1, False, False)})

    def is_signed_by(self, machine: Machine, authorities: str) -> bool:
        """Whether one of them signed the certificate that the node has now."""
        trusted = self.world.folder / "trusted.pem"
        trusted.write_text(authorities + "\n", encoding="utf-8")
        check = ["openssl", "verify", "-CAfile", str(trusted), str(machine.root / "run/tickerlake/tls/broker.pem")]
        return subprocess.run(check, check=False, capture_output=True).returncode == 0

    def test_metrics(self) -> None:
        machine = self.world.machine()
        machine.boot()
        machine.run("metrics.sh")
        emulated_kafka.stop_kafka(machine.root)
        machine.run("metrics.sh")
        running, stopped = self.world.state()["metrics"]
        self.assertEqual(running["namespace"], "tickerlake/broker")
        values = {metric["MetricName"]: metric["Value"] for metric in running["data"]}
        self.assertEqual({name: values[name] for name in ("Alive", "CertificateDaysLeft")}, {"Alive": 1, "CertificateDaysLeft": 89})
        self.assertEqual(set(values), {"Alive", "CertificateDaysLeft", "DiskUsedPercent"})
        self.assertEqual([metric["Value"] for metric in stopped["data"] if metric["MetricName"] == "Alive"], [0])


class ThreeBrokers(unittest.TestCase):
    """A stack with three nodes."""

    def test_three_first_boots_at_once_agree(self) -> None:
        world = World(self, nodes=3)
        machines = [world.machine(node) for node in (1, 2, 3)]
        for machine in machines:
            machine.run("install.sh")
        booting = [machine.start("boot.sh") for machine in machines]
        for machine, process in zip(machines, booting):
            process.communicate(timeout=shared.LIMIT)
            self.assertEqual(process.returncode, 0, machine.log())
        self.assertEqual({cluster_of(machine) for machine in machines}, {world.secret("cluster")["cluster_id"]})
        formats = [" ".join(call) for call in world.calls("java") if "format" in call]
        self.assertEqual(len([call for call in formats if call.endswith("--standalone")]), 1)
        self.assertEqual(len([call for call in formats if call.endswith("--no-initial-controllers")]), 2)
        trusted = {(machine.root / "run/tickerlake/tls/ca.pem").read_text(encoding="utf-8").strip() for machine in machines}
        self.assertEqual(trusted, {world.secret("ca")["certificate"].strip()})
        self.assertEqual({said["--resource"]: said["--exit-code"] for said in world.state()["signals"]}, {f"Broker{n}": "0" for n in (1, 2, 3)})

    def test_a_node_with_an_empty_disk_joins_and_never_founds(self) -> None:
        world = World(self, nodes=3)
        machines = [world.machine(node) for node in (1, 2, 3)]
        for machine in machines:
            machine.boot()
        cluster = cluster_of(machines[0])
        for machine in machines:
            machine.terminate()
        state = world.state()
        for node in (1, 2, 3):
            world.add_volume(state, f"vol-{node}0")
        world.change(state)
        calls = len(world.calls())
        # Even if all disks were lost: whoever began again under the old id would give its offsets out twice.
        for node in (1, 2, 3):
            world.machine(node, STACK_VOLUME=f"vol-{node}0").boot()
        formats = [" ".join(call) for call in world.calls()[calls:] if "format" in call]
        self.assertEqual([call.rsplit(" ", 1)[1] for call in formats], ["--no-initial-controllers"] * 3)
        self.assertEqual(world.secret("cluster")["cluster_id"], cluster)

    def test_what_others_have_joined_refuses_to_become_one(self) -> None:
        world = World(self, nodes=3)
        # The third is still missing: as where one becomes three, and that fails.
        machines = [world.machine(node) for node in (1, 2)]
        for machine in machines:
            machine.boot()
        before = world.state()["secrets"]
        # CloudFormation replaces node 1 first, and goes on only if it succeeds.
        machines[0].terminate()
        alone = world.machine(1, STACK_NODES="1")
        alone.run("install.sh")
        process = alone.start("boot.sh")
        process.communicate(timeout=shared.LIMIT)
        self.assertEqual(process.returncode, 1)
        said = world.state()["signals"][-1]
        self.assertEqual((said["--resource"], said["--exit-code"]), ("Broker1", "1"))
        self.assertIn("the cluster has more nodes than one and cannot go back", said["--reason"])
        # It rolls back, and nothing has changed.
        alone.terminate()
        world.machine(1).boot()
        self.assertEqual(world.state()["secrets"], before)


class Contract(unittest.TestCase):
    """What broker/README.md says."""

    def test_the_readme_names_each_variable_that_is_read(self) -> None:
        readme = (release.BROKER / "README.md").read_text(encoding="utf-8")
        scripts = [*release.BROKER.glob("*.sh"), *release.BROKER.glob("lib/*.sh")]
        read = {name for script in scripts for name in re.findall(r"\bSTACK_[A-Z_]+[A-Z]\b", script.read_text(encoding="utf-8"))}
        read |= {"STACK_PRODUCER_SECRET", "STACK_CONSUMER_SECRET"}
        told = set(re.findall(r"^\| `(STACK_[A-Z_]+)`", readme, re.MULTILINE))
        self.assertEqual(read, told)

    def test_the_readme_names_each_right_that_is_used(self) -> None:
        world = World(self)
        machine = world.machine()
        machine.boot()
        machine.run("metrics.sh")
        used = {(call[1], "".join(word.title() for word in call[2].split("-"))) for call in world.calls("aws")}
        readme = (release.BROKER / "README.md").read_text(encoding="utf-8")
        for service, operation in used:
            self.assertIn(f"`{service}:{operation}`", readme)

    def test_the_pom_and_the_archive_are_one_version(self) -> None:
        text = (release.BROKER / "kafka.release").read_text(encoding="utf-8")
        self.assertIn(f"KAFKA_VERSION={release.version()}\n", text)
        self.assertRegex(text, r"KAFKA_SHA512=[0-9a-f]{128}\n")

    def test_server_properties_are_told_all_that_they_ask_for(self) -> None:
        asked = set(re.findall(r"\$\{env:(\w+)\}", (release.BROKER / "server.properties").read_text(encoding="utf-8")))
        written = set(re.findall(r'echo "(BROKER_\w+)=', (release.BROKER / "lib/kafka.sh").read_text(encoding="utf-8")))
        self.assertEqual(asked, written)

    @unittest.skipUnless(Path("/usr/bin/systemd-analyze").exists(), "systemd-analyze is not installed")
    def test_systemd_understands_the_units(self) -> None:
        units = sorted([*release.BROKER.glob("*.service"), *release.BROKER.glob("*.timer")])
        process = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
        about_ours = [line for line in process.stderr.splitlines() if str(release.BROKER) in line]
        self.assertEqual([line for line in about_ours if "not executable" not in line], [])

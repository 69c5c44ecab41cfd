"""The node's network as it is in AWS, between network namespaces: a private machine, the node with two interfaces, the internet.

The node's interfaces are configured by systemd-networkd itself, from the file that the boot script writes, with addresses that it is
given by DHCP.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.broker import shared

ROOT = Path(__file__).resolve().parents[2]
BROKER = ROOT / "broker"
NETWORKD = Path("/lib/systemd/systemd-networkd")
TOOLS = ("ip", "nft", "sysctl", "bash", "mount", "unshare", str(NETWORKD))
MISSING = [tool for tool in TOOLS if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]

# As in AWS: the node's two interfaces are in one subnet, whose router (10.42.0.1) sends what comes from the private subnet
# (10.42.1.0/24) to the fixed interface (10.42.0.50), and is the way to the internet for the first one (10.42.0.7). The router
# checks sources as AWS does: from the first interface it takes only the interface's own address, and from the fixed one (whose check
# is off) nothing of the first one's.
FIRST, FIXED = ("02:00:00:00:00:05", "10.42.0.7"), ("02:00:00:00:00:06", "10.42.0.50")
NETWORK = f"""
    ip netns add {{0}}-node
    ip netns add {{0}}-router
    ip netns add {{0}}-private
    ip netns add {{0}}-internet

    ip -n {{0}}-router link add subnet type bridge
    ip -n {{0}}-router address add 10.42.0.1/24 dev subnet
    ip -n {{0}}-router link set subnet up
    ip -n {{0}}-node link add first address {FIRST[0]} type veth peer name to-first netns {{0}}-router
    ip -n {{0}}-node link add fixed address {FIXED[0]} type veth peer name to-fixed netns {{0}}-router
    ip -n {{0}}-router link set to-first master subnet up
    ip -n {{0}}-router link set to-fixed master subnet up
    ip -n {{0}}-node link set lo up

    ip -n {{0}}-private link add up0 type veth peer name private netns {{0}}-router
    ip -n {{0}}-private address add 10.42.1.9/24 dev up0
    ip -n {{0}}-private link set up0 up
    ip -n {{0}}-private route add default via 10.42.1.1
    ip -n {{0}}-router address add 10.42.1.1/24 dev private
    ip -n {{0}}-router link set private up

    ip -n {{0}}-internet link add up0 type veth peer name internet netns {{0}}-router
    ip -n {{0}}-internet address add 203.0.113.9/24 dev up0
    ip -n {{0}}-internet link set up0 up
    ip -n {{0}}-internet link set lo up
    ip -n {{0}}-router address add 203.0.113.1/24 dev internet
    ip -n {{0}}-router link set internet up
    ip -n {{0}}-internet route add {FIRST[1]} via 203.0.113.1

    ip netns exec {{0}}-router sysctl --quiet --write net.ipv4.ip_forward=1
    ip netns exec {{0}}-router sysctl --quiet --write net.ipv4.conf.all.rp_filter=0
    ip -n {{0}}-router rule add iif private to 203.0.113.0/24 table 100
    ip -n {{0}}-router route add default via {FIXED[1]} dev subnet table 100
    ip netns exec {{0}}-node sysctl --quiet --write net.ipv4.conf.all.arp_ignore=1
    ip netns exec {{0}}-node sysctl --quiet --write net.ipv4.conf.all.arp_announce=2
    ip netns exec {{0}}-node sysctl --quiet --write net.ipv4.conf.all.rp_filter=1
    ip netns exec {{0}}-router nft add table bridge source
    ip netns exec {{0}}-router nft add chain bridge source check {{{{ type filter hook prerouting priority 0; }}}}
    ip netns exec {{0}}-router nft add rule bridge source check iifname to-first ip saddr != {FIRST[1]} ip saddr != 0.0.0.0 drop
    ip netns exec {{0}}-router nft add rule bridge source check iifname to-fixed ip saddr {FIRST[1]} drop
"""

# As the image has it, whose own tool counts the metrics up.
OF_THE_IMAGE = """[Match]
Name={}

[Link]
MTUBytes=9001

[Network]
DHCP=yes
IPv6DuplicateAddressDetection=0
LLMNR=no

[DHCPv4]
RouteMetric={}
"""

# networkd with a machine's folders of its own. Without a writable /sys it does not wait for udev, which is not there.
NETWORKD_ALONE = f"""
set -e
mount -t tmpfs -o mode=755 tmpfs /etc/systemd
mkdir /etc/systemd/network
mount --bind "$1" /etc/systemd/network
mount -t tmpfs tmpfs /run/systemd
mount -o remount,bind,ro /sys || mount --bind -o ro /sys /sys
exec {NETWORKD}
"""

# What the boot script declares, for a node that is the NAT or for one that is not.
DECLARE = f"""
set -eu
STACK_NAT=$2
source {BROKER}/lib/network.sh
way_out() {{ echo first; }}
describe_interface {FIXED[0]} {FIXED[1]} >"$1/60-tickerlake.network"
"""

LISTEN = """
import select, socket
listeners = [socket.create_server(("203.0.113.9", port)) for port in (443, 80)]
print("listening", flush=True)
while True:
    for listener in select.select(listeners, [], [])[0]:
        connection, address = listener.accept()
        connection.sendall(address[0].encode() + b" " + connection.recv(100))
        connection.close()
"""

ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:
    connection.sendall(b"from the private subnet")
    print(connection.recv(100).decode())
"""

# A broker's port, at all of its addresses.
SERVE = """
import socket
with socket.create_server(("", 9096)) as listener:
    print("listening", flush=True)
    while True:
        connection, address = listener.accept()
        connection.sendall(b"here is " + connection.getsockname()[0].encode())
        connection.close()
"""


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
@unittest.skipIf(MISSING, f"not installed: {', '.join(MISSING)}")
class Network(unittest.TestCase):
    """Traffic goes through the node as it goes in AWS."""

    def setUp(self) -> None:
        self.prefix = f"nat{os.getpid()}"
        self.environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "PYTHONPATH": str(ROOT)}
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.networks = Path(folder.name)
        self.networks.chmod(0o755)
        for name, metric in (("first", 512), ("fixed", 522)):
            (self.networks / f"70-{name}.network").write_text(OF_THE_IMAGE.format(name, metric), encoding="utf-8")
        for name in ("node", "router", "private", "internet"):
            self.addCleanup(subprocess.run, ["ip", "netns", "delete", f"{self.prefix}-{name}"], env=self.environment, check=False)
        for line in NETWORK.format(self.prefix).split("\n"):
            if line.strip():
                subprocess.run(line.split(), env=self.environment, check=True)
        self.start_listening("router", "-m", "tests.broker.dhcp", "subnet", "=".join(FIRST), "=".join(FIXED))
        self.start_listening("internet", "-c", LISTEN)
        self.start_listening("node", "-c", SERVE)

    def start(self, where: str, *command: str) -> subprocess.Popen[str]:
        """Starts a command in a namespace."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", f"{self.prefix}-{where}", *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def start_listening(self, where: str, *arguments: str) -> None:
        listener = self.start(where, "python3", *arguments)
        assert listener.stdout
        self.assertEqual(listener.stdout.readline(), "listening\n")

    def declare(self, is_nat: str) -> None:
        """Writes what the boot script would."""
        subprocess.run(["bash", "-c", DECLARE, "bash", str(self.networks), is_nat], env=self.environment, check=True)
        (self.networks / "60-tickerlake.network").chmod(0o644)

    def configure(self) -> subprocess.Popen[str]:
        """Lets networkd configure the node."""
        networkd = self.start("node", "unshare", "--mount", "bash", "-c", NETWORKD_ALONE, "bash", str(self.networks))
        shared.wait_until("both addresses", lambda: all(f" {address}/24 " in self.node("address") for _, address in (FIRST, FIXED)))
        shared.wait_until("the way out", lambda: "default via 10.42.0.1 dev first" in self.node("route"))
        return networkd

    def node(self, what: str) -> str:
        return self.start("node", "ip", "-4", what, "show").communicate()[0]

    def ask(self, address: str, port: int, timeout: float) -> str:
        """What the private machine is answered; empty if nothing."""
        return self.start("private", "python3", "-c", ASK, address, str(port), str(timeout)).communicate()[0].strip()

    def test_what_came_in_at_the_fixed_interface_is_answered_through_it(self) -> None:
        self.declare("no")
        self.configure()
        self.assertEqual(self.ask(FIXED[1], 9096, 20), f"here is {FIXED[1]}")
        # All else leaves by the first interface: whose security group lets it out, and the subnet's other machines too.
        self.assertEqual(self.node("route").count("dev fixed"), 0)

    def test_without_the_declaration_aws_drops_the_answer(self) -> None:
        self.start("node", "sysctl", "--quiet", "--write", "net.ipv4.conf.all.rp_filter=2").communicate()
        self.configure()
        self.assertEqual(self.ask(FIXED[1], 9096, 1), "")

    def test_the_private_subnet_reaches_https_and_nothing_else(self) -> None:
        self.declare("yes")
        networkd = self.configure()
        self.assertEqual(self.ask("203.0.113.9", 443, 1), "", "it gets through without a NAT")
        for _ in ("once", "again"):
            made = self.start("node", "bash", str(BROKER / "nat.sh"), "fixed", "first", "10.42.0.0/16")
            self.assertEqual((made.communicate()[1], made.returncode), ("", 0))
        self.assertEqual(self.ask("203.0.113.9", 443, 20), "10.42.0.7 from the private subnet")
        self.assertEqual(self.ask("203.0.113.9", 80, 1), "")
        self.assertEqual(self.ask(FIXED[1], 9096, 20), f"here is {FIXED[1]}")
        # Whoever took them away: the rules are networkd's own, which makes them whenever it begins anew.
        networkd.kill()
        networkd.communicate()
        for _ in range(2):
            self.start("node", "ip", "rule", "delete", "priority", "4002").communicate()
        self.assertEqual(self.ask("203.0.113.9", 443, 1), "")
        self.configure()
        shared.wait_until("the rules", lambda: self.node("rule").count("4002:") == 2)
        self.assertEqual(self.ask("203.0.113.9", 443, 20), "10.42.0.7 from the private subnet")

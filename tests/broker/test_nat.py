"""The NAT between network namespaces: a private machine, the node with two interfaces, the internet."""

from __future__ import annotations

import os
import shutil
import subprocess
import unittest
from pathlib import Path

NAT = Path(__file__).resolve().parents[2] / "broker/nat.sh"
TOOLS = ("ip", "nft", "sysctl", "bash")
MISSING = [tool for tool in TOOLS if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]

# As in AWS: the node's two interfaces are in one subnet, whose router (10.42.0.1) sends what comes from the private subnet
# (10.42.1.0/24) to the fixed interface (10.42.0.50), and is the way to the internet for the first one (10.42.0.7). The router
# checks sources as AWS does: from the first interface it takes only the interface's own address.
NETWORK = """
    ip netns add {0}-node
    ip netns add {0}-router
    ip netns add {0}-private
    ip netns add {0}-internet

    ip -n {0}-router link add subnet type bridge
    ip -n {0}-router address add 10.42.0.1/24 dev subnet
    ip -n {0}-router link set subnet up
    ip -n {0}-node link add first type veth peer name to-first netns {0}-router
    ip -n {0}-node link add fixed type veth peer name to-fixed netns {0}-router
    ip -n {0}-router link set to-first master subnet up
    ip -n {0}-router link set to-fixed master subnet up
    ip -n {0}-node address add 10.42.0.7/24 dev first
    ip -n {0}-node address add 10.42.0.50/24 dev fixed
    ip -n {0}-node link set lo up
    ip -n {0}-node link set first up
    ip -n {0}-node link set fixed up
    ip -n {0}-node route add default via 10.42.0.1 dev first metric 512
    ip -n {0}-node route add default via 10.42.0.1 dev fixed metric 522

    ip -n {0}-private link add up0 type veth peer name private netns {0}-router
    ip -n {0}-private address add 10.42.1.9/24 dev up0
    ip -n {0}-private link set up0 up
    ip -n {0}-private route add default via 10.42.1.1
    ip -n {0}-router address add 10.42.1.1/24 dev private
    ip -n {0}-router link set private up

    ip -n {0}-internet link add up0 type veth peer name internet netns {0}-router
    ip -n {0}-internet address add 203.0.113.9/24 dev up0
    ip -n {0}-internet link set up0 up
    ip -n {0}-internet link set lo up
    ip -n {0}-router address add 203.0.113.1/24 dev internet
    ip -n {0}-router link set internet up
    ip -n {0}-internet route add 10.42.0.7 via 203.0.113.1

    ip netns exec {0}-router sysctl --quiet --write net.ipv4.ip_forward=1
    ip netns exec {0}-router sysctl --quiet --write net.ipv4.conf.all.rp_filter=0
    ip -n {0}-router rule add iif private table 100
    ip -n {0}-router route add default via 10.42.0.50 dev subnet table 100
    ip netns exec {0}-node sysctl --quiet --write net.ipv4.conf.all.arp_ignore=1
    ip netns exec {0}-node sysctl --quiet --write net.ipv4.conf.all.arp_announce=2
    ip netns exec {0}-node sysctl --quiet --write net.ipv4.conf.all.rp_filter=1
    ip netns exec {0}-router nft add table bridge source
    ip netns exec {0}-router nft add chain bridge source check {{ type filter hook prerouting priority 0; }}
    ip netns exec {0}-router nft add rule bridge source check iifname to-first ip saddr != 10.42.0.7 drop
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
with socket.create_connection(("203.0.113.9", int(sys.argv[1])), timeout=float(sys.argv[2])) as connection:
    connection.sendall(b"from the private subnet")
    print(connection.recv(100).decode())
"""


@unittest.skipIf(os.geteuid() != 0, "network namespaces need root")
@unittest.skipIf(MISSING, f"not installed: {', '.join(MISSING)}")
class Nat(unittest.TestCase):
    """Traffic goes through the node as it goes in AWS."""

    def setUp(self) -> None:
        self.prefix = f"nat{os.getpid()}"
        self.environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        for name in ("node", "router", "private", "internet"):
            self.addCleanup(subprocess.run, ["ip", "netns", "delete", f"{self.prefix}-{name}"], env=self.environment, check=False)
        for line in NETWORK.format(self.prefix).split("\n"):
            if line.strip():
                subprocess.run(line.split(), env=self.environment, check=True)
        listener = self.start("internet", "python3", "-c", LISTEN)
        assert listener.stdout
        self.assertEqual(listener.stdout.readline(), "listening\n")

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

    def ask(self, port: int, timeout: float) -> str:
        """What the internet answers to the private machine; empty if nothing."""
        return self.start("private", "python3", "-c", ASK, str(port), str(timeout)).communicate()[0].strip()

    def test_the_private_subnet_reaches_https_and_nothing_else(self) -> None:
        self.assertEqual(self.ask(443, 1), "", "it gets through without a NAT")
        for _ in ("once", "again"):
            made = self.start("node", "bash", str(NAT), "fixed", "10.42.0.0/16")
            self.assertEqual((made.communicate()[1], made.returncode), ("", 0))
        self.assertEqual(self.ask(443, 20), "10.42.0.7 from the private subnet")
        self.assertEqual(self.ask(80, 1), "")
        rules = self.start("node", "ip", "rule", "show").communicate()[0]
        self.assertEqual((rules.count("4001:"), rules.count("4002:")), (1, 1))

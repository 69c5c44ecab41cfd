"""A DHCP server that gives each network interface the address that belongs to it, as a VPC does: python3 -m tests.broker.dhcp MAC=ADDRESS…

It knows one subnet of 256 addresses, whose router and name server is the first one.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
MESSAGE_TYPE, SERVER, LEASE_SECONDS, NETMASK, ROUTER, NAME_SERVER, END = 53, 54, 51, 1, 3, 6, 255
COOKIE = b"\x63\x82\x53\x63"


def message_type(packet: bytes) -> int:
    """0 if the packet does not say."""
    options = packet[240:]
    while options and options[0] != END:
        code, length = options[0], options[1]
        if code == MESSAGE_TYPE:
            return options[2]
        options = options[2 + length :]
    return 0


def answer(packet: bytes, kind: int, address: str) -> bytes:
    """The offer of an address, or its lease for an hour."""
    network = ipaddress.ip_network(f"{address}/24", strict=False)
    router, mask = network[1].packed, network.netmask.packed
    options = {MESSAGE_TYPE: bytes([kind]), SERVER: router, LEASE_SECONDS: struct.pack(">I", 3600), NETMASK: mask, ROUTER: router, NAME_SERVER: router}
    head = b"\x02" + packet[1:12] + bytes(4) + ipaddress.ip_address(address).packed + router + packet[24:236]
    return head + COOKIE + b"".join(bytes([code, len(value)]) + value for code, value in options.items()) + bytes([END])


def main(interface: str, *leases: str) -> None:
    addresses = dict(lease.split("=") for lease in leases)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        server.bind(("", 67))
        print("listening", flush=True)
        while True:
            packet = server.recv(1500)
            address = addresses.get(packet[28:34].hex(":"))
            kind = {DISCOVER: OFFER, REQUEST: ACK}.get(message_type(packet))
            if address and kind:
                server.sendto(answer(packet, kind, address), ("255.255.255.255", 68))


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env bash
# Makes this machine the way of a network to the internet, for HTTPS only.
#
#   nat.sh INTERFACE NETWORK
#
# INTERFACE is the one that the network's route names; the way out is the default route of another one. May be run again at any time.
set -euo pipefail

fixed=$1 network=$2
# Of the two default routes, that with the address that the internet knows.
first=$(ip -4 route show default | awk -v fixed="$fixed" '{ for (i = 1; i < NF; i++) if ($i == "dev" && $(i + 1) != fixed) { print $(i + 1); exit } }')
gateway=$(ip -4 route show default dev "$first" | awk '$2 == "via" { print $3; exit }')
# A VPC's router has the first address of each subnet.
fixed_gateway=$(ip -oneline -4 address show dev "$fixed" | awk '{ print $4; exit }' |
  python3 -IS -c 'import ipaddress; print(ipaddress.ip_interface(input()).network[1])')

sysctl --quiet --write net.ipv4.ip_forward=1
# Answers from the internet come by another way than the one by which their receivers are reached: not strict, but any way will do.
for interface in all "$fixed" "$first"; do
  sysctl --quiet --write "net.ipv4.conf.$interface.rp_filter=2"
done
nft -D "fixed=$fixed" -D "first=$first" -D "network=$network" -f "$(dirname "${BASH_SOURCE[0]}")/nat.nft"

# Each direction by its own interface. The first one's security group never saw what came in at the fixed one, and its source check
# drops what is not from its own address; so answers go back where the questions came in.
route() {
  local table=$1 interface=$2 gateway=$3 from=$4
  ip route replace default via "$gateway" dev "$interface" onlink table "$table"
  ip rule delete priority "$table" 2>/dev/null || true
  ip rule add priority "$table" iif "$from" table "$table"
}
route 4001 "$first" "$gateway" "$fixed"
route 4002 "$fixed" "$fixed_gateway" "$first"

#!/usr/bin/env bash
# Makes this machine the way of a network to the internet, for HTTPS only. May be run again at any time.
#
#   nat.sh FIXED FIRST NETWORK
#
# FIXED is the interface that the network's route names and by which its answers go back (lib/network.sh); FIRST is the way out.
set -euo pipefail

fixed=$1 first=$2 network=$3

sysctl --quiet --write net.ipv4.ip_forward=1
# Answers from the internet come by another way than the one by which their receivers are reached: not strict, but any way will do.
# The kernel takes the looser of this and an interface's own.
sysctl --quiet --write net.ipv4.conf.all.rp_filter=2
nft -D "fixed=$fixed" -D "first=$first" -D "network=$network" -f "$(dirname "${BASH_SOURCE[0]}")/nat.nft"

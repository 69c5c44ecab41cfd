# shellcheck shell=bash
# The node's fixed interface in the words of systemd-networkd: what came in at it is answered through it.
#
# Amazon Linux has a tool of its own for that (amazon-ec2-net-utils). It makes its rules some time after the address is there, and
# each time that it reloads networkd, routes and rules are dropped that networkd was not told of. A file in /etc that comes before the
# tool's is how the tool is overridden, and what stands there is networkd's own.

# A table for what leaves by the fixed interface; all else leaves by the first one.
fixed_table=4002

# declare_interface MAC ADDRESS: before it is attached, so that networkd knows what to do with it.
declare_interface() {
  local folder=$root/etc/systemd/network
  describe_interface "$@" >"$run/network" || return
  if ! cmp --silent "$run/network" "$run/network.declared"; then
    # networkd reads it as a user of its own.
    (umask 022 && mkdir -p "$folder" && put_file "$folder/60-tickerlake.network" <"$run/network") || return
    networkctl reload || return
    cp "$run/network" "$run/network.declared"
  fi
}

describe_interface() {
  local mac=$1 address=$2 first
  cat <<END
[Match]
MACAddress=$mac

[Link]
MTUBytes=9001

[Network]
DHCP=ipv4
LLMNR=no

[DHCPv4]
RouteTable=$fixed_table
UseDNS=no
UseDomains=no
UseHostname=no
UseNTP=no

[RoutingPolicyRule]
From=$address
Table=$fixed_table
Priority=$fixed_table
END
  if [[ $STACK_NAT == yes ]]; then
    # Answers from the internet to the private subnets. The first interface's security group never saw the questions, and its source
    # check drops what is not from its own address. A rule without an interface would be of all packets.
    first=$(way_out)
    [[ -n $first ]] || return
    cat <<END

[RoutingPolicyRule]
IncomingInterface=$first
Table=$fixed_table
Priority=$fixed_table
END
  fi
}

# The first interface: the fixed one's default route is in another table.
way_out() {
  ip -4 route show default | awk '{ for (i = 1; i < NF; i++) if ($i == "dev") { print $(i + 1); exit } }'
}

# interface_of ADDRESS: the device that has it.
interface_of() {
  ip -oneline -4 address show to "$1" | awk '{ print $2; exit }'
}

# answers_through_itself ADDRESS: AWS drops what leaves by another interface than its address is of. The destination is one of those
# that are for documentation: any beyond the subnet.
answers_through_itself() {
  local device
  device=$(interface_of "$1")
  [[ -n $device && $(ip -4 route get 198.51.100.1 from "$1") == *" dev $device "* ]]
}

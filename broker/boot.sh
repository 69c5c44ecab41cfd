#!/usr/bin/env bash
# Makes of a bare instance a broker that answers, and tells the stack. systemd runs it at each boot: on a new instance, on one that
# was restarted, on a new one with the volume of an old one, and after a boot that was cut off at any point. Every step looks
# first at what is there.

# shellcheck source=lib/broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/broker.sh"

boot() {
  only_one
  # First of all what can tell the stack.
  step "installing packages"
  install_packages
  step "attaching the volume and the network interface"
  attach_volume
  attach_interface
  if [[ $STACK_NAT == yes ]]; then
    step "forwarding to the internet"
    bash "$here/nat.sh" "$(interface_of "$address")" "$(way_out)" "$STACK_NETWORK"
  fi
  step "mounting the volume"
  mount_disk
  step "installing Kafka $KAFKA_VERSION"
  install_kafka
  step "agreeing on the authority and making a certificate"
  read_cluster
  refuse_to_shrink
  agree_on_authority
  make_certificate
  step "agreeing on the cluster"
  write_settings
  agree_on_cluster
  step "starting Kafka"
  start_kafka
  if is_last; then
    step "making the topic and letting the users in"
    spread_copies
    provision
  fi
  # The first nodes of three have nobody yet to send it to.
  if [[ -n $(in_cluster provisioned) ]]; then
    step "sending a record through Kafka"
    set_passwords
    probe
  fi
}

# The stack waits for this once, and says no at every later boot.
signal() {
  PATH=$PATH:/opt/aws/bin cfn-signal --exit-code "$1" --reason "$2" \
    --stack "$STACK_NAME" --resource "$STACK_RESOURCE" --region "$AWS_DEFAULT_REGION" || say "the stack does not wait for a signal"
}

# What happened last, from the step and the last line of its errors.
reason() {
  printf '%s failed: %s' "$(cat "$run/step")" "$(tail -n 1 "$run/errors")"
}

if [[ ${1:-} == once ]]; then
  boot
  exit
fi
# The stack waits for 15 minutes, of which the instance's start takes some, and for 90 where the last of three nodes makes the copies:
# the reason must be there before that.
longest() {
  if ((STACK_NODES > 1)) && is_last && (read_cluster && [[ $(in_cluster copies) != "$STACK_NODES" ]]); then
    echo $((85 * 60))
  else
    echo $((12 * 60))
  fi
}
patience=${TICKERLAKE_PATIENCE:-$(longest)}
# In a process of its own: within `if` bash ignores `set -e`. It may be ended anywhere, as by a power cut.
for attempt in 1 2 3; do
  if timeout $((patience > SECONDS ? patience - SECONDS : 1)) bash "${BASH_SOURCE[0]}" once 2> >(tee "$run/errors" >&2); then
    signal 0 "Kafka answers"
    exit
  fi
  say "attempt $attempt: $(reason)"
  reason >"$root/dev/console" || true
  sleep "$pause"
  # Not with nothing left: `timeout 0` has no end.
  ((SECONDS + 60 < patience)) || break
done
signal 1 "$(reason)"
# systemd tries again in a minute: nobody waits for a signal when the machine room lost its network for an hour.
exit 1

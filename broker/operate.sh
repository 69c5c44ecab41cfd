#!/usr/bin/env bash
# What an operator runs on a node, as root in an SSM session. docs/operate.md says when.
#
#   operate.sh status                    the quorum, partitions that lack copies, the disk, the certificate
#   operate.sh passwords                 gives Kafka the users' passwords that changed in their secrets
#   operate.sh renew-certificate [--if-due]   makes another certificate and restarts Kafka with it
#   operate.sh restart                   restarts Kafka, once no other node is missing
#   operate.sh upgrade VERSION SHA512 [URL]   installs another Kafka and restarts with it
#   operate.sh finish-upgrade            lets the cluster use what the new version can: there is no way back
#   operate.sh partitions COUNT          gives the topic more partitions
#   operate.sh enlarge-disk              uses the whole of a volume that was enlarged
#   operate.sh authority new|use|drop    another authority, in three steps
#   operate.sh forget-cluster            after the loss of all disks: the next boot of node 1 founds another cluster
#   operate.sh kafka COMMAND ARGUMENT... one of Kafka's commands (TopicCommand, ConsumerGroupCommand, …) as administrator

# shellcheck source=lib/broker.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/broker.sh"

status() {
  as_administrator MetadataQuorumCommand describe --status
  echo "Partitions that lack copies:"
  as_administrator TopicCommand --describe --under-replicated-partitions
  df --human-readable "$disk"
  openssl x509 -in "$tls/broker.pem" -noout -enddate
}

renew_certificate() {
  if [[ $1 == --if-due ]] && certificate_serves; then
    say "the certificate serves for another month"
    return
  fi
  agree_on_authority
  make_certificate
  restart
}

# Two of three copies must remain: the restart waits until the others have all records, and ends once this node has them again.
restart() {
  patiently 1800 "the other nodes to have all records" nothing_is_missing
  start_kafka
  patiently 1800 "this node to have all records again" nothing_is_missing
}

nothing_is_missing() {
  local missing
  ((STACK_NODES > 1)) || return 0
  missing=$(as_administrator TopicCommand --describe --under-replicated-partitions) && [[ -z $missing ]]
}

upgrade() {
  local version=$1 sha512=$2 url=${3:-}
  {
    echo "KAFKA_VERSION=$version"
    echo "KAFKA_SHA512=$sha512"
    echo "KAFKA_URL=$url"
  } >"$run/kafka.release"
  # shellcheck source=/dev/null
  source "$run/kafka.release"
  STACK_KAFKA_URL='' install_kafka
  # Only now: a reboot installs what this file names.
  put_file "$here/kafka.release" <"$run/kafka.release"
  chmod 644 "$here/kafka.release"
  restart
}

finish_upgrade() {
  as_administrator FeatureCommand upgrade --release-version "${KAFKA_VERSION%.*}"
}

partitions() {
  as_administrator TopicCommand --alter --topic "$STACK_TOPIC" --partitions "$1"
}

enlarge_disk() {
  xfs_growfs "$disk"
}

# Clients trust the new authority first, then the nodes use it, then the old one is dropped. Each step is for every node, and the next
# one only once all nodes and clients have followed.
authority() {
  case ${1:-} in
    new) update_cluster with_next_authority ;;
    use) update_cluster with_next_authority_used ;;
    drop) update_cluster with_one_authority ;;
    *) fail "authority new, use or drop?" ;;
  esac
  renew_certificate now
}

with_next_authority() {
  local document
  document=$(cat)
  # Another node was first.
  if [[ -z $(json next <<<"$document") ]]; then
    is_one_trusted || fail "the authority before is not dropped yet"
    make_authority
    { json trusted <<<"$document" && cat "$run/authority.pem"; } | sed '/^$/d' >"$run/trusted"
    document=$(change "next=@$run/authority.pem" "next_key=@$run/authority.key" "trusted=@$run/trusted" <<<"$document")
    rm "$run/authority.key"
  fi
  printf '%s\n' "$document"
}

with_next_authority_used() {
  local document
  document=$(cat)
  if [[ -n $(json next <<<"$document") ]]; then
    json next <<<"$document" >"$run/authority.pem"
    json next_key <<<"$document" >"$run/authority.key"
    document=$(change "authority=@$run/authority.pem" "authority_key=@$run/authority.key" next= next_key= <<<"$document")
    rm "$run/authority.key"
  fi
  printf '%s\n' "$document"
}

with_one_authority() {
  local document
  document=$(cat)
  [[ -z $(json next <<<"$document") ]] || fail "the new authority is not used yet"
  json authority <<<"$document" >"$run/authority.pem"
  change "trusted=@$run/authority.pem" <<<"$document"
}

is_one_trusted() {
  (($(json trusted <<<"$document" | grep --count 'BEGIN CERTIFICATE') == 1))
}

forget_cluster() {
  [[ ! -d $data ]] || fail "this node's disk still holds its part of the cluster"
  update_cluster change cluster_id= founder= founded= "${cluster_has_not[@]}"
}

command=${1:-}
shift || true
case $command in
  status) status ;;
  kafka) as_administrator "$@" ;;
  renew-certificate)
    only_one
    read_cluster
    renew_certificate "${1:-now}"
    ;;
  passwords)
    only_one
    read_cluster
    set_passwords
    ;;
  restart | upgrade | finish-upgrade | partitions | enlarge-disk | authority | forget-cluster)
    only_one
    read_cluster
    "${command//-/_}" "$@"
    ;;
  *)
    sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac

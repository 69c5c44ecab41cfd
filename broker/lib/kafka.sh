# shellcheck shell=bash
# Kafka itself: its settings, its disk, its service, its commands.

data=$disk/data

# What server.properties asks of the environment.
write_settings() {
  local controllers='' node
  for ((node = 1; node <= STACK_NODES; node++)); do
    controllers+=${controllers:+,}broker-$node.$STACK_ZONE:$controller_port
  done
  {
    echo "BROKER_NODE_ID=$STACK_NODE"
    echo "BROKER_CONTROLLERS=$controllers"
    echo "BROKER_CLIENT_LISTENER=$node_name:$client_port"
    echo "BROKER_CLIENT_ADDRESS=$node_name:$client_port"
    echo "BROKER_NODES_LISTENER=$node_name:$nodes_port"
    echo "BROKER_CONTROLLER_LISTENER=$node_name:$controller_port"
    echo "BROKER_DATA=$data"
    echo "BROKER_TLS=$tls"
    echo "BROKER_RETENTION_HOURS=$STACK_RETENTION_HOURS"
    if ((STACK_NODES == 1)); then
      echo "BROKER_REPLICAS=1"
      echo "BROKER_MIN_IN_SYNC=1"
      echo "BROKER_FLUSH_MESSAGES=1"
    else
      echo "BROKER_REPLICAS=3"
      echo "BROKER_MIN_IN_SYNC=2"
      echo "BROKER_FLUSH_MESSAGES=9223372036854775807"
    fi
    # A quarter of the memory, but not less than Kafka needs. Most of the rest is the page cache, from which consumers read.
    awk '/^MemTotal/ { mb = int($2 / 4096); print "KAFKA_HEAP=-Xmx" (mb < 512 ? 512 : mb > 6144 ? 6144 : mb) "m" }' /proc/meminfo
  } | put_file "$run/kafka.env"
  # This node is the administrator, by its certificate.
  {
    echo "security.protocol=SSL"
    echo "ssl.keystore.type=PEM"
    echo "ssl.keystore.location=$tls/broker.pem"
    echo "ssl.truststore.type=PEM"
    echo "ssl.truststore.location=$tls/ca.pem"
  } | put_file "$run/node.properties"
}

# Which cluster this disk belongs to, or shall belong to. A disk without data
#   - founds the cluster, if there is none yet;
#   - founds another one if this is the only node: the old cluster went with its disk, and under the old id its offsets would
#     be given out twice;
#   - else joins: the others have the records. If all disks were lost nobody leads, and the boot fails rather than begin
#     again under the old id (operate.sh forget-cluster).
agree_on_cluster() {
  if [[ -d $data ]]; then
    update_cluster with_cluster_of_disk
    return
  fi
  update_cluster with_cluster
  if [[ $(in_cluster founder) == "$STACK_NODE" && $(in_cluster founded) != yes ]]; then
    format_disk --standalone
    update_cluster change founded=yes
  else
    update_cluster change joined=yes
    format_disk --no-initial-controllers
  fi
}

# What a new cluster does not have yet (lib/users.sh).
cluster_has_not=(joined= provisioned= copies= producer= consumer=)

# Prints the document with a cluster.
with_cluster() {
  local document
  document=$(cat)
  if [[ -z $(json cluster_id <<<"$document") || ($STACK_NODES == 1 && $(json founded <<<"$document") == yes) ]]; then
    document=$(change "cluster_id=$(kafka_command StorageTool random-uuid)" "founder=$STACK_NODE" founded= "${cluster_has_not[@]}" \
      <<<"$document")
  fi
  printf '%s\n' "$document"
}

# Prints the document with the cluster that this node's disk holds: it may come from a snapshot, or the first boot may have ended
# between formatting and noting that.
with_cluster_of_disk() {
  local document on_disk noted
  document=$(cat)
  on_disk=$(cluster_of_disk)
  noted=$(json cluster_id <<<"$document")
  if [[ $on_disk != "$noted" ]] && ((STACK_NODES > 1)) && [[ -n $noted ]]; then
    fail "this disk belongs to the cluster $on_disk, the other nodes to $noted"
  fi
  if [[ $on_disk != "$noted" ]]; then
    document=$(change "cluster_id=$on_disk" "founder=$STACK_NODE" founded=yes "${cluster_has_not[@]}" <<<"$document")
  elif [[ $(json founder <<<"$document") == "$STACK_NODE" ]]; then
    document=$(change founded=yes <<<"$document")
  fi
  printf '%s\n' "$document"
}

cluster_of_disk() {
  sed -n 's/^cluster\.id=//p' "$data/meta.properties"
}

# Beside its place and then renamed, so that a folder that is there is whole.
format_disk() {
  local half_made=$data.new
  rm -rf "$half_made"
  (
    set -a
    # shellcheck source=/dev/null
    source "$run/kafka.env"
    BROKER_DATA=$half_made
    # With `=`, because an id may begin with a hyphen.
    kafka_command StorageTool format "--cluster-id=$(in_cluster cluster_id)" "--config=$here/server.properties" "$1" >&2
  )
  chown -R kafka:kafka "$half_made"
  sync
  mv -T "$half_made" "$data"
}

start_kafka() {
  systemctl restart kafka.service
  patiently 600 "Kafka to answer" answers
}

# kafka_command CLASS ARGUMENT...
kafka_command() {
  (become_kafka_command "$@")
}

# The same in the place of this shell, so that what is started in the background can be ended. Each command runs for a second:
# compiling it well would take longer.
become_kafka_command() {
  local class=$1
  shift
  case $class in
    StorageTool) class=kafka.tools.$class ;;
    ConfigCommand) class=kafka.admin.$class ;;
    ConsoleConsumer) class=org.apache.kafka.tools.consumer.$class ;;
    ConsumerGroupCommand) class=org.apache.kafka.tools.consumer.group.$class ;;
    ReassignPartitionsCommand) class=org.apache.kafka.tools.reassign.$class ;;
    *) class=org.apache.kafka.tools.$class ;;
  esac
  exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto "-Dlog4j2.configurationFile=$here/log4j2-commands.properties" \
    -cp "$root/opt/kafka/libs/*" "$class" "$@"
}

# as_administrator CLASS ARGUMENT...
as_administrator() {
  local class=$1
  shift
  kafka_command "$class" --bootstrap-server "$node_name:$nodes_port" --command-config "$run/node.properties" "$@"
}

#!/usr/bin/env bash
# Makes the topic and lets its two users in, on EC2 as in the local stack. May be run again at any time: it adds what is missing.
#
#   provision.sh TOPIC PARTITIONS CONSUMER_GROUP [replay]
#
# with KAFKA_LIBS (the folder of Kafka's jars), KAFKA_SERVERS (host:port,...) and KAFKA_ADMIN (a file with the client settings
# of the user `admin`: arguments would show its password to every user of the machine).
#
# `replay` also lets the producer read: a replay asks the log how far it came. A deployed producer does not need it.
# KAFKA_PROBE_TOPIC, if set, names a topic of its own for the record that a booting node sends through Kafka.
set -euo pipefail

topic=$1 partitions=$2 group=$3 replay=${4:-}

kafka() {
  local command=$1
  shift
  # Each command runs for a second: compiling it well would take longer.
  java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$KAFKA_LIBS/*" "org.apache.kafka.tools.$command" \
    --bootstrap-server "$KAFKA_SERVERS" --command-config "$KAFKA_ADMIN" "$@"
}

# allow USER RESOURCE... -- OPERATION...
allow() {
  local user=$1 arguments=()
  shift
  while [[ $1 != -- ]]; do
    arguments+=("$1")
    shift
  done
  shift
  for operation in "$@"; do
    arguments+=(--operation "$operation")
  done
  kafka AclCommand --add --force --allow-principal "User:$user" "${arguments[@]}"
}

jobs=() producers_probe=() consumers_probe=()
if [[ -n ${KAFKA_PROBE_TOPIC:-} ]]; then
  producers_probe=(--topic "$KAFKA_PROBE_TOPIC")
  consumers_probe=(--topic "$KAFKA_PROBE_TOPIC" --group "$KAFKA_PROBE_TOPIC")
  kafka TopicCommand --create --if-not-exists --topic "$KAFKA_PROBE_TOPIC" --partitions 1 --config retention.ms=3600000 &
  jobs+=($!)
fi
# All at once, as nearly all of the time is Java starting. The topic's own setting, so that it is right on any broker: the time
# of a record is when it arrived, by which a log that began again is told from one that is delivered again.
kafka TopicCommand --create --if-not-exists --topic "$topic" --partitions "$partitions" \
  --config message.timestamp.type=LogAppendTime --config cleanup.policy=delete &
jobs+=($!)
# Who may write to a topic may do so idempotently.
allow producer --topic "$topic" "${producers_probe[@]}" -- Write Describe &
jobs+=($!)
allow consumer --topic "$topic" --group "$group" "${consumers_probe[@]}" -- Read Describe &
jobs+=($!)
# The mapping also looks at the cluster's settings before it reads.
allow consumer --cluster -- DescribeConfigs &
jobs+=($!)
if [[ $replay == replay ]]; then
  allow producer --topic "$topic" -- Read &
  jobs+=($!)
  allow producer --group tickerlake-replay- --resource-pattern-type prefixed -- Read Describe &
  jobs+=($!)
fi
for job in "${jobs[@]}"; do
  wait "$job"
done

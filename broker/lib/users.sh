# shellcheck shell=bash
# The two users: their passwords from the stack's secrets, the topic and their rights, and the proof that both get in.
# What Kafka was told is noted in the cluster's secret, and the notes begin anew with a new cluster.

probe_topic=tickerlake-probe

# Of three nodes, the last to be made is the first that can ask for three copies of a record.
is_last() {
  ((STACK_NODE == STACK_NODES))
}

# The topics and rights, unless the cluster has them from the same script with the same arguments.
provision() {
  local wanted
  wanted=$(printf '%s ' "$STACK_TOPIC" "$STACK_PARTITIONS" "$STACK_CONSUMER_GROUP" && sha256sum <"$here/provision.sh" | cut -c 1-16)
  if [[ $wanted != "$(in_cluster provisioned)" ]]; then
    # The other nodes are there, but may be restarting.
    patiently 600 "the topic and the rights" provision_once
    update_cluster change "provisioned=$wanted"
  fi
}

provision_once() {
  KAFKA_LIBS=$root/opt/kafka/libs KAFKA_SERVERS=$node_name:$nodes_port KAFKA_ADMIN=$run/node.properties KAFKA_PROBE_TOPIC=$probe_topic \
    bash "$here/provision.sh" "$STACK_TOPIC" "$STACK_PARTITIONS" "$STACK_CONSUMER_GROUP" >"$run/provision" 2>&1 && return
  grep --max-count=1 -E 'Error|Exception' "$run/provision" >&2
  return 1
}

# Gives Kafka the passwords that changed since it was last given them.
set_passwords() {
  local user changed=()
  for user in producer consumer; do
    login_of "$user"
    if [[ $version != "$(in_cluster "$user")" ]]; then
      # From a file: arguments are for all users to see.
      as_administrator ConfigCommand --alter --entity-type users --entity-name "$user" --add-config-file "$run/$user.scram" >/dev/null
      changed+=("$user=$version")
      say "Kafka has the password of $user"
    fi
    rm "$run/$user.scram"
  done
  update_cluster change "${changed[@]}"
}

# login_of USER: the user's client settings into $run/USER.properties, the password as kafka-configs reads it into $run/USER.scram,
# and the secret's version.
login_of() {
  local user=$1 name=STACK_${1^^}_SECRET answer secret
  answer=$(aws secretsmanager get-secret-value --secret-id "${!name}" --query '[VersionId, SecretString]' --output text)
  version=${answer%%$'\t'*}
  secret=${answer#*$'\t'}
  [[ $(json username <<<"$secret") == "$user" ]] || fail "the secret ${!name} is not of the user $user"
  python3 -IS "$here/lib/document.py" client "$bootstrap_name:$client_port" "$tls/ca.pem" <<<"$secret" | put_file "$run/$user.properties"
  python3 -IS "$here/lib/document.py" scram <<<"$secret" | put_file "$run/$user.scram"
}

# A record goes through Kafka, by the name, the certificate and the passwords that the functions use. Its topic is another one: in
# the stack's own it would be a record that is no quote.
probe() {
  local token consumer
  token=$(openssl rand -hex 16)
  : >"$run/probe"
  kafka_command ConsoleProducer --bootstrap-server "$bootstrap_name:$client_port" --command-config "$run/producer.properties" \
    --topic "$probe_topic" --command-property acks=all --sync <<<"$token" >/dev/null
  become_kafka_command ConsoleConsumer --bootstrap-server "$bootstrap_name:$client_port" --command-config "$run/consumer.properties" \
    --topic "$probe_topic" --group "$probe_topic" --from-beginning >"$run/probe" 9>&- &
  consumer=$!
  # Also where it fails: a consumer that is left over keeps the topic's only partition.
  # shellcheck disable=SC2064
  trap "kill $consumer 2>/dev/null || true" EXIT
  patiently 60 "the record" came_back "$token" "$consumer"
  kill "$consumer"
  wait "$consumer" || true
}

# came_back TOKEN CONSUMER: it did. A consumer that ended was refused.
came_back() {
  grep --quiet "$1" "$run/probe" && return
  kill -0 "$2" 2>/dev/null || fail "the consumer did not get in"
  return 1
}

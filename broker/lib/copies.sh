# shellcheck shell=bash
# One node became three: the records that had one copy get three, and only then two of them are asked for.

# On the last node, once for a cluster.
spread_copies() {
  if ((STACK_NODES == 1)) || [[ $(in_cluster copies) == "$STACK_NODES" ]]; then
    return
  fi
  patiently 600 "all nodes" all_nodes_are_here
  as_administrator TopicCommand --describe >"$run/topics"
  plan_copies <"$run/topics" | put_file "$run/copies.json"
  if grep --quiet '"topic"' "$run/copies.json"; then
    as_administrator ReassignPartitionsCommand --execute --reassignment-json-file "$run/copies.json" >/dev/null
    patiently 3600 "the copies" copies_are_made
  fi
  as_administrator ConfigCommand --alter --entity-type brokers --entity-default --add-config min.insync.replicas=2 >/dev/null
  update_cluster change "copies=$STACK_NODES"
}

all_nodes_are_here() {
  local nodes
  nodes=$(as_administrator BrokerApiVersionsCommand | grep --count '(id: .* isFenced: false') || return
  ((nodes >= STACK_NODES))
}

copies_are_made() {
  ! as_administrator ReassignPartitionsCommand --verify --reassignment-json-file "$run/copies.json" |
    grep --quiet -E 'still in progress|failed'
}

# The reassignment of each partition that has fewer than three copies: the leader stays where it is.
plan_copies() {
  awk '
    BEGIN { printf "{\"version\":1,\"partitions\":[" }
    $1 == "Topic:" && $3 == "Partition:" {
      for (field = 5; field < NF; field++) if ($field == "Replicas:") replicas = $(field + 1)
      if (split(replicas, have, ",") < 3) {
        for (node = 1; node <= 3; node++) if ("," replicas "," !~ "," node ",") replicas = replicas "," node
        printf "%s{\"topic\":\"%s\",\"partition\":%d,\"replicas\":[%s]}", more, $2, $4, replicas
        more = ","
      }
    }
    END { print "]}" }'
}

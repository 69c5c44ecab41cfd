# shellcheck shell=bash
# What all nodes must agree on, in one secret that only they read: the authority that signs their certificates, the cluster's id,
# and which node founded it. Three first boots race for it.
#
# Secrets Manager has no compare-and-swap, but it has what makes one: a version's id is the ClientRequestToken that its writer
# chose, and a second write under the same token with another content is refused (ResourceExistsException). So whoever writes
# takes the token that follows from the version it read. Of all who read the same version, one writes; the others are refused,
# read again and find the winner's document.

# update_cluster CHANGE [ARGUMENT...]: CHANGE prints the new document, given the present one on standard input.
update_cluster() {
  local tries
  for tries in {1..30}; do
    "$@" <"$run/cluster" >"$run/cluster.new"
    if cmp --silent "$run/cluster" "$run/cluster.new" || swap_cluster; then
      mv "$run/cluster.new" "$run/cluster"
      return
    fi
    say "another node was faster (try $tries)"
    sleep "$pause"
    read_cluster
  done
  fail "the secret $STACK_CLUSTER_SECRET changes all the time"
}

# The document into $run/cluster, and its version, once before it is used. A secret without a value is an empty document.
read_cluster() {
  local answer
  if answer=$(aws secretsmanager get-secret-value --secret-id "$STACK_CLUSTER_SECRET" \
    --query '[VersionId, SecretString]' --output text 2>"$run/refusal"); then
    cluster_version=${answer%%$'\t'*}
    printf '%s\n' "${answer#*$'\t'}" >"$run/cluster"
  elif grep --quiet ResourceNotFoundException "$run/refusal"; then
    cluster_version=none
    printf '{}\n' >"$run/cluster"
  else
    fail "$(tail -n 1 "$run/refusal")"
  fi
}

# $run/cluster.new in the place of the version that was read; false if that is no longer the newest.
swap_cluster() {
  local token
  token=$(printf '%s' "$STACK_CLUSTER_SECRET $cluster_version" | sha256sum | cut -c 1-64)
  if aws secretsmanager put-secret-value --secret-id "$STACK_CLUSTER_SECRET" --client-request-token "$token" \
    --secret-string "file://$run/cluster.new" >/dev/null 2>"$run/refusal"; then
    cluster_version=$token
    return 0
  fi
  grep --quiet ResourceExistsException "$run/refusal" || fail "$(tail -n 1 "$run/refusal")"
  return 1
}

# A cluster that others have joined does not become one node again: the majority of its voters would be gone. CloudFormation replaces
# node 1 before it takes others away, so that its failure here takes the deployment back with nothing lost.
refuse_to_shrink() {
  if ((STACK_NODES == 1)) && [[ $(in_cluster joined) == yes ]]; then
    fail "the cluster has more nodes than one and cannot go back: deploy a second stack, and drain this one"
  fi
}

in_cluster() {
  json "$1" <"$run/cluster"
}

change() {
  python3 -IS "$here/lib/document.py" set "$@"
}

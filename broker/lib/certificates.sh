# shellcheck shell=bash
# TLS: one authority for the stack, and a certificate that each node makes at each boot and never lets out of memory.

tls=$run/tls

# The authority: made by the first node that looks for it. Its key stays in the nodes' secret; the certificates that are trusted
# go into the secret that clients read.
agree_on_authority() {
  update_cluster with_authority
  in_cluster trusted | put_public "$tls/ca.pem"
  publish_authority
}

# Prints the document with an authority.
with_authority() {
  local document
  document=$(cat)
  if [[ -z $(json authority <<<"$document") ]]; then
    make_authority
    document=$(change "authority=@$run/authority.pem" "authority_key=@$run/authority.key" "trusted=@$run/authority.pem" <<<"$document")
    rm "$run/authority.key"
  fi
  printf '%s\n' "$document"
}

# Ten years, because clients must be given another one by hand (operate.sh authority).
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 -config "$here/openssl.cnf" \
    -extensions authority -subj "/CN=$STACK_NAME brokers" -keyout "$run/authority.key" -out "$run/authority.pem" 2>"$run/openssl" ||
    fail "$(cat "$run/openssl")"
}

# {"certificate"} for clients, if it is not what they have.
publish_authority() {
  local published
  published=$(aws secretsmanager get-secret-value --secret-id "$STACK_CA_SECRET" --query SecretString --output text 2>"$run/refusal") ||
    grep --quiet ResourceNotFoundException "$run/refusal" || fail "$(tail -n 1 "$run/refusal")"
  change "certificate=@$tls/ca.pem" </dev/null >"$run/published"
  if [[ $published != "$(cat "$run/published")" ]]; then
    aws secretsmanager put-secret-value --secret-id "$STACK_CA_SECRET" --secret-string "file://$run/published" >/dev/null
  fi
}

# Three months: each boot makes another one, and a timer for those who never boot.
make_certificate() {
  local key=$run/node.key request=$run/node.csr certificate=$run/node.pem
  in_cluster authority_key >"$run/authority.key"
  in_cluster authority >"$run/authority.pem"
  export BROKER_NAMES="DNS:$node_name,DNS:$bootstrap_name"
  {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -config "$here/openssl.cnf" -subj /CN=broker \
      -keyout "$key" -out "$request" &&
      openssl x509 -req -sha256 -days 90 -in "$request" -CA "$run/authority.pem" -CAkey "$run/authority.key" \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$here/openssl.cnf" -extensions node -out "$certificate"
  } 2>"$run/openssl" || fail "$(cat "$run/openssl")"
  rm "$run/authority.key"
  cat "$key" "$certificate" >"$tls/broker.pem.new"
  rm "$key" "$request"
  chown kafka:kafka "$tls/broker.pem.new"
  mv -T "$tls/broker.pem.new" "$tls/broker.pem"
}

# Whether it will still serve in a month.
certificate_serves() {
  openssl x509 -in "$tls/broker.pem" -noout -checkend $((30 * 24 * 3600)) >/dev/null 2>&1
}

# The client port as clients see it: a certificate of the trusted authority for the name by which they come.
answers() {
  timeout 10 openssl s_client -connect "$(cat "$run/address"):$client_port" -servername "$bootstrap_name" \
    -verify_hostname "$bootstrap_name" -verify_return_error -CAfile "$tls/ca.pem" </dev/null >/dev/null 2>&1
}

# What Kafka's user may read.
put_public() {
  mkdir -p "$tls"
  chmod 711 "$tls"
  put_file "$1"
  chmod 644 "$1"
}

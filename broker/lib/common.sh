# shellcheck shell=bash
# What every script of the broker begins with: strictness, where things are, how waiting and failing work.

set -euo pipefail
shopt -s inherit_errexit
# Nearly all that is written here is secret.
umask 077
# No command of aws may open a pager.
export AWS_PAGER=''

# Tests put a whole machine under a folder, and don't want to wait.
root=${TICKERLAKE_ROOT:-}
pause=${TICKERLAKE_PAUSE:-5}

# This folder, the configuration, what vanishes with the power (a tmpfs, so no secret reaches a disk), and the data volume.
here=$root/opt/tickerlake
etc=$root/etc/tickerlake
run=$root/run/tickerlake
disk=$root/var/lib/kafka
# Kept on the root volume: what was begun on this very instance.
begun=$root/var/lib/tickerlake

client_port=9096
nodes_port=9094
controller_port=9093

# What the stack tells (README.md), and which Kafka it is.
load_settings() {
  # shellcheck source=/dev/null
  source "$etc/broker.env"
  export AWS_DEFAULT_REGION
  # shellcheck source=kafka.release
  source "$here/kafka.release"
  node_name=broker-$STACK_NODE.$STACK_ZONE
  bootstrap_name=bootstrap.$STACK_ZONE
  mkdir -p "$run" "$begun"
  # Kafka's user goes through it to its own files, and sees no other.
  chmod 711 "$run"
}

say() {
  printf '%s\n' "$*" >&2
}

# Names the step that begins now: a failure is told with it.
step() {
  printf '%s' "$*" >"$run/step"
  say "== $*"
}

fail() {
  say "$*"
  exit 1
}

# One of boot.sh and operate.sh at a time.
only_one() {
  exec 9>"$run/lock"
  flock 9
}

# patiently SECONDS WHAT COMMAND...: until the command succeeds. It runs without `set -e`: a function must chain its own commands.
patiently() {
  local deadline=$((SECONDS + $1)) what=$2 told=''
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)); then
      fail "waited in vain for $what"
    fi
    if [[ -z $told ]]; then
      say "waiting for $what"
      told=yes
    fi
    sleep "$pause"
  done
}

# json FIELD: that field of the JSON object on standard input; nothing if it is not there.
json() {
  python3 -IS "$here/lib/document.py" get "$1"
}

# Whether a file that should be there whole or not at all must be written: `put_file PATH` takes its content from standard input.
put_file() {
  cat >"$1.new"
  mv -T "$1.new" "$1"
}

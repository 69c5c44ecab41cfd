# shellcheck shell=bash
# The programs: from the distribution, and Kafka from its archive.

install_packages() {
  local missing=()
  needs java java-17-amazon-corretto-headless
  needs cfn-signal aws-cfn-bootstrap
  needs openssl openssl
  needs mkfs.xfs xfsprogs
  if [[ $STACK_NAT == yes ]]; then
    needs nft nftables
  fi
  if ((${#missing[@]})); then
    dnf --assumeyes --quiet install "${missing[@]}"
  fi
  id kafka >/dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin kafka
}

needs() {
  PATH=$PATH:/opt/aws/bin command -v "$1" >/dev/null || missing+=("$2")
}

# Each version in a folder of its own, which is there whole or not at all; a link says which one runs.
install_kafka() {
  local home=$root/opt/kafka-$KAFKA_VERSION
  if [[ ! -d $home ]]; then
    rm -rf "$home.new"
    mkdir -p "$home.new"
    fetch_kafka "$home.tgz"
    tar --extract --file "$home.tgz" --directory "$home.new" --strip-components 1 --no-same-owner
    chmod -R a+rX "$home.new"
    rm "$home.tgz"
    mv -T "$home.new" "$home"
  fi
  ln --symbolic --force --no-dereference "$home" "$root/opt/kafka.new"
  mv -T "$root/opt/kafka.new" "$root/opt/kafka"
}

# fetch_kafka FILE: from the stack's place, or the one that kafka.release names, or Apache's. Its mirrors have only the newest releases;
# its archive has all of them, and gives an address little at a time.
fetch_kafka() {
  local name=kafka_2.13-$KAFKA_VERSION.tgz place places
  places=("https://dlcdn.apache.org/kafka/$KAFKA_VERSION/$name" "https://archive.apache.org/dist/kafka/$KAFKA_VERSION/$name")
  if [[ -n ${STACK_KAFKA_URL:-${KAFKA_URL:-}} ]]; then
    places=("${STACK_KAFKA_URL:-$KAFKA_URL}")
  fi
  for place in "${places[@]}"; do
    if ! fetch "$place" "$1"; then
      say "Kafka cannot be had from $place"
    elif ! sha512sum --check --status - <<<"$KAFKA_SHA512  $1"; then
      say "Kafka's archive from $place is not the one that kafka.release names"
    else
      return 0
    fi
  done
  return 1
}

# fetch URL FILE. A transfer that stalls is given up, for a boot has no other end.
fetch() {
  case $1 in
    s3://*) aws s3 cp --only-show-errors "$1" "$2" ;;
    *)
      curl --fail --silent --show-error --location --retry 3 --connect-timeout 10 --speed-limit 50000 --speed-time 30 --output "$2" "$1"
      ;;
  esac
}

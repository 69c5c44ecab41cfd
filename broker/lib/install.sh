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
    fetch "${STACK_KAFKA_URL:-$KAFKA_URL}" "$home.tgz"
    sha512sum --check --status - <<<"$KAFKA_SHA512  $home.tgz" || fail "Kafka's archive is not the one that kafka.release names"
    tar --extract --file "$home.tgz" --directory "$home.new" --strip-components 1 --no-same-owner
    chmod -R a+rX "$home.new"
    rm "$home.tgz"
    mv -T "$home.new" "$home"
  fi
  ln --symbolic --force --no-dereference "$home" "$root/opt/kafka.new"
  mv -T "$root/opt/kafka.new" "$root/opt/kafka"
}

# fetch URL FILE
fetch() {
  case $1 in
    s3://*) aws s3 cp --only-show-errors "$1" "$2" ;;
    *) curl --fail --silent --show-error --location --retry 5 --retry-all-errors --output "$2" "$1" ;;
  esac
}

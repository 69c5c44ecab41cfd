# shellcheck shell=bash
# All parts of what a broker can do, with the settings loaded.

# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
load_settings
# shellcheck source=lib/network.sh
source "$here/lib/network.sh"
# shellcheck source=lib/attach.sh
source "$here/lib/attach.sh"
# shellcheck source=lib/disk.sh
source "$here/lib/disk.sh"
# shellcheck source=lib/install.sh
source "$here/lib/install.sh"
# shellcheck source=lib/cluster.sh
source "$here/lib/cluster.sh"
# shellcheck source=lib/certificates.sh
source "$here/lib/certificates.sh"
# shellcheck source=lib/kafka.sh
source "$here/lib/kafka.sh"
# shellcheck source=lib/copies.sh
source "$here/lib/copies.sh"
# shellcheck source=lib/users.sh
source "$here/lib/users.sh"

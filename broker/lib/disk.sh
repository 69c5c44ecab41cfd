# shellcheck shell=bash
# The data volume: made into a file system once in its life, then only mounted.

mount_disk() {
  if ! mountpoint --quiet "$disk"; then
    make_file_system
    mkdir -p "$disk"
    mount --types xfs --options noatime,nodev,nosuid,noexec "$device" "$disk"
  fi
  # The volume may have been enlarged.
  xfs_growfs "$disk" >/dev/null
  chown kafka:kafka "$disk"
  # An instance of another image may give the user another number. The folder is given away after all that is in it.
  if [[ -e $data && $(stat --format=%U "$data") != kafka ]]; then
    chown --recursive kafka:kafka "$data"
  fi
  chmod 755 "$disk"
}

# Only a volume that holds nothing at all, or on which this instance began the same and was interrupted: the note about that is
# written while the volume is known to be blank, and lies on the root volume.
make_file_system() {
  local note=$begun/mkfs-$STACK_VOLUME
  if [[ ! -e $note ]]; then
    is_blank || return 0
    : | put_file "$note"
    sync
  fi
  mkfs.xfs -f -q "$device"
  rm "$note"
}

# Nothing that blkid knows (it says so by 2; 0 is something, 8 is a doubt), and no byte in the first 16 MiB: what blkid does not
# know may be somebody's all the same.
is_blank() {
  local status=0
  blkid --probe "$device" >/dev/null 2>&1 || status=$?
  ((status == 2)) && cmp --silent --bytes=16777216 "$device" /dev/zero
}

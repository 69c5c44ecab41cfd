# shellcheck shell=bash
# The instance takes its volume and its network interface. Those of a node outlive its instances: the one before may still
# be going, which is waited for and never forced, because two instances that write to one volume would destroy it.

instance_id() {
  # From cloud-init, which had it from the metadata service.
  cat "$root/var/lib/cloud/data/instance-id"
}

# The volume's device: udev names it after the volume's id, while nvme1n1 may be another one at the next boot.
volume_device() {
  printf '%s' "$root/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${STACK_VOLUME/-/}"
}

attach_volume() {
  device=$(volume_device)
  patiently 600 "the volume $STACK_VOLUME" volume_is_here
}

volume_is_here() {
  local holder
  holder=$(aws ec2 describe-volumes --volume-ids "$STACK_VOLUME" \
    --query 'Volumes[0].Attachments[0].InstanceId' --output text) || return
  if [[ $holder == None ]]; then
    aws ec2 attach-volume --volume-id "$STACK_VOLUME" --instance-id "$(instance_id)" --device /dev/sdf >/dev/null || return
  elif [[ $holder != "$(instance_id)" ]]; then
    say "the volume is still attached to $holder"
    return 1
  fi
  [[ -e $device ]]
}

attach_interface() {
  patiently 600 "the network interface $STACK_INTERFACE" interface_is_here
}

interface_is_here() {
  local answer holder mac
  answer=$(aws ec2 describe-network-interfaces --network-interface-ids "$STACK_INTERFACE" \
    --query 'NetworkInterfaces[0].[Attachment.InstanceId, PrivateIpAddress, MacAddress]' --output text) || return
  read -r holder address mac <<<"$answer"
  declare_interface "$mac" "$address" || return
  if [[ $holder == None ]]; then
    aws ec2 attach-network-interface --network-interface-id "$STACK_INTERFACE" --instance-id "$(instance_id)" \
      --device-index 1 >/dev/null || return
  elif [[ $holder != "$(instance_id)" ]]; then
    say "the network interface is still attached to $holder"
    return 1
  fi
  answers_through_itself "$address" || return
  printf '%s' "$address" | put_file "$run/address"
}

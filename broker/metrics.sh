#!/usr/bin/env bash
# Three numbers for CloudWatch, each minute. It goes on where a part fails: that Kafka does not answer is what it must tell.

# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/certificates.sh
source "$here/lib/certificates.sh"
load_settings

alive() {
  if answers; then echo 1; else echo 0; fi
}

# Of the data volume; nothing while it is not mounted.
disk_used() {
  mountpoint --quiet "$disk" && df --output=pcent "$disk" | tail -n 1 | tr -dc 0-9
}

days_left() {
  local end
  end=$(openssl x509 -in "$tls/broker.pem" -noout -enddate) && echo $((($(date -d "${end#*=}" +%s) - $(date +%s)) / 86400))
}

# metric NAME UNIT VALUE: one more, if it has a value.
metric() {
  if [[ -n $3 ]]; then
    metrics+=${metrics:+,}'{"MetricName":"'$1'","Unit":"'$2'","Value":'$3',"Dimensions":['
    metrics+='{"Name":"Stack","Value":"'$STACK_NAME'"},{"Name":"Node","Value":"'$STACK_NODE'"}]}'
  fi
}

metrics=''
metric Alive Count "$(alive)"
metric DiskUsedPercent Percent "$(disk_used || true)"
metric CertificateDaysLeft Count "$(days_left 2>/dev/null || true)"
aws cloudwatch put-metric-data --namespace tickerlake/broker --metric-data "[$metrics]"

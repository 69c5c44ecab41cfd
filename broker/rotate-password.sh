#!/usr/bin/env bash
# Gives a user of Kafka another password, from an operator's machine:
#
#   rotate-password.sh SECRET_ARN INSTANCE_ID
#
# First the secret, then Kafka: cut off in between, the next boot or `operate.sh passwords` ends it. Who is connected stays so; who
# connects meanwhile is refused for some seconds, reads the secret again and gets in. May be run again at any time.
set -euo pipefail
umask 077
export AWS_PAGER=''

secret=$1 instance=$2
here=$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

aws secretsmanager get-random-password --password-length 40 --exclude-punctuation --query RandomPassword --output text >"$work/password"
aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString --output text |
  python3 -IS "$here/lib/document.py" set "password=@$work/password" >"$work/secret"
aws secretsmanager put-secret-value --secret-id "$secret" --secret-string "file://$work/secret" >/dev/null

command=$(aws ssm send-command --instance-ids "$instance" --document-name AWS-RunShellScript \
  --parameters 'commands=["bash /opt/tickerlake/operate.sh passwords"]' --query Command.CommandId --output text)
# Not by `aws ssm wait`: it takes a command that SSM does not know yet, a moment after it was sent, for a failed one.
for _ in {1..120}; do
  status=$(aws ssm get-command-invocation --command-id "$command" --instance-id "$instance" --query Status --output text 2>"$work/unknown") ||
    status=Pending
  case $status in
    Success) exit ;;
    Pending | InProgress | Delayed) sleep "${TICKERLAKE_PAUSE:-5}" ;;
    *) break ;;
  esac
done
echo "the secret has another password, and Kafka may not have it yet: \`operate.sh passwords\` on $instance ended as $status ($command) $(cat "$work/unknown")" >&2
exit 1

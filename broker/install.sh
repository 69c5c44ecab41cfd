#!/usr/bin/env bash
# What UserData runs once, after it put this folder into /opt/tickerlake and wrote /etc/tickerlake/broker.env.

# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

chmod 600 "$etc/broker.env"
# Kafka's user reads its settings here.
chmod -R a+rX "$here"
cp "$here"/*.service "$here"/*.timer "$root/etc/systemd/system/"
chmod 644 "$root"/etc/systemd/system/{kafka,tickerlake-}*
systemctl daemon-reload
systemctl enable tickerlake-broker.service tickerlake-metrics.timer tickerlake-certificate.timer
# Not waited for: it tells the stack itself.
systemctl start --no-block tickerlake-broker.service tickerlake-metrics.timer tickerlake-certificate.timer

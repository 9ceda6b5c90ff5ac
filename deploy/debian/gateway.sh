#!/bin/sh
# The command of the package mail-gateway: its own Python packages, and the settings in /etc unless told otherwise.
: "${GATEWAY_CONFIG=/etc/gateway/gateway.toml}"
export GATEWAY_CONFIG
exec /usr/lib/mail-gateway/bin/gateway "$@"

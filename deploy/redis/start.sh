#!/bin/sh
# Starts Redis with the users of users.acl: `start.sh [TEMPLATE] [FILE]`. Passwords come from GATEWAY_REDIS_PASSWORD and
# the like and reach the server as digests in FILE: neither its command line nor its configuration shows them.
set -eu
template=${1:-/etc/razvilka/users.acl}
file=${2:-/tmp/users.acl}
digest() {
  printf '#%s' "$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1)"
}
umask 077
sed -e "s/{gateway}/$(digest "$GATEWAY_REDIS_PASSWORD")/" \
    -e "s/{auth}/$(digest "$AUTH_REDIS_PASSWORD")/" \
    -e "s/{router}/$(digest "$ROUTER_REDIS_PASSWORD")/" \
    -e "s/{operator}/$(digest "$OPERATOR_REDIS_PASSWORD")/" \
    "$template" > "$file"
chown redis:redis "$file"
unset GATEWAY_REDIS_PASSWORD AUTH_REDIS_PASSWORD ROUTER_REDIS_PASSWORD OPERATOR_REDIS_PASSWORD
# The image's own entry point goes on as the user redis.
exec docker-entrypoint.sh redis-server --aclfile "$file" --dir /data --save '' --appendonly yes --appendfsync everysec

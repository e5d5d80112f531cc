#!/bin/sh
# Starts Redis with the users of users.acl: `start.sh [TEMPLATE] [FILE]`. Passwords come from GATEWAY_REDIS_PASSWORD and
# the like, or from the files `gateway`, `auth`, `router` and `operator` of REDIS_SECRETS_DIR, and reach the server as
# digests in FILE: neither its command line nor its configuration shows them. With REDIS_TLS_DIR it speaks TLS only. With
# REDIS_MAXMEMORY it refuses what would need more, and evicts nothing: limits, holds and sessions are no cache.
set -eu
if [ -n "${REDIS_SECRETS_DIR:-}" ]; then
  for user in gateway auth router operator; do
    [ -s "$REDIS_SECRETS_DIR/$user" ] || { echo "start.sh: $REDIS_SECRETS_DIR/$user is missing: the password of $user" >&2; exit 1; }
  done
  GATEWAY_REDIS_PASSWORD=$(cat "$REDIS_SECRETS_DIR/gateway")
  AUTH_REDIS_PASSWORD=$(cat "$REDIS_SECRETS_DIR/auth")
  ROUTER_REDIS_PASSWORD=$(cat "$REDIS_SECRETS_DIR/router")
  OPERATOR_REDIS_PASSWORD=$(cat "$REDIS_SECRETS_DIR/operator")
fi
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
[ "$(id -u)" -ne 0 ] || chown redis:redis "$file"
set --
[ -z "${REDIS_MAXMEMORY:-}" ] || set -- --maxmemory "$REDIS_MAXMEMORY" --maxmemory-policy noeviction
if [ -n "${REDIS_TLS_DIR:-}" ]; then
  set -- "$@" --port 0 --tls-port 6379 --tls-auth-clients no --tls-cert-file "$REDIS_TLS_DIR/tls.crt" \
    --tls-key-file "$REDIS_TLS_DIR/tls.key" --tls-ca-cert-file "$REDIS_TLS_DIR/ca.crt"
  # Certificates that were renewed are read without a restart.
  (
    export REDISCLI_AUTH="$OPERATOR_REDIS_PASSWORD"
    while sleep 3600; do
      redis-cli --tls --cacert "$REDIS_TLS_DIR/ca.crt" --user operator --no-auth-warning CONFIG SET \
        tls-cert-file "$REDIS_TLS_DIR/tls.crt" tls-key-file "$REDIS_TLS_DIR/tls.key" > /dev/null || true
    done
  ) &
fi
unset GATEWAY_REDIS_PASSWORD AUTH_REDIS_PASSWORD ROUTER_REDIS_PASSWORD OPERATOR_REDIS_PASSWORD
# The image's own entry point goes on as the user redis where it is root.
exec docker-entrypoint.sh redis-server --aclfile "$file" --dir /data --save '' --appendonly yes --appendfsync everysec "$@"

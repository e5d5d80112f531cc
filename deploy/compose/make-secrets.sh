#!/bin/sh
# Secrets of a small production, a file for each setting, and .env: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER
# What is there stays as it is, so that it may run again. docs/operations/compose.md
set -eu
if [ $# -ne 2 ]; then
  echo "usage: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER, such as: llm.example.ru smtp.example.ru" >&2
  exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "make-secrets.sh: run it as root: the files are given to user 10001, whom the containers run as" >&2
  exit 2
fi
for name in "$1" "$2"; do
  case "$name" in
    "" | *[!A-Za-z0-9.:-]*)
      echo "make-secrets.sh: $name is no name of a host: give it without https:// and without a path" >&2
      exit 2
      ;;
  esac
done
cd "$(dirname "$0")"
folder=${RAZVILKA_SECRETS:-./secrets}
umask 077
# A name of a folder without a slash would be the name of a volume.
case "$folder" in
  /* | ./*) ;;
  *) folder=./$folder ;;
esac

# put FOLDER/FILE TEXT: writes the file unless it is there.
put() {
  if [ ! -e "$folder/$1" ]; then
    mkdir -p "$folder/${1%/*}"
    printf '%s\n' "$2" > "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
  fi
}

chance() {
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

put auth/AUTH_KEY_PEPPER "$(chance)"
put auth/AUTH_OAUTH_SIGNING_KEY_SECRET "$(chance)"
put auth/AUTH_ACCOUNTS_SECRET "$(chance)"
put router/ROUTER_TOOL_CALL_KEY "$(chance)"
put usage/USAGE_NOTIFICATIONS_SECRET "$(chance)"
put gateway/GATEWAY_METERING_PROMPT_DIGEST_SECRET "$(chance)"
put grafana/admin-password "$(chance)"

# Most mail servers refuse a sender whom they do not know; a port of the public name is no part of an address.
sender="Razvilka <no-reply@${1%%:*}>"
put auth/AUTH_SMTP_SENDER "$sender"
put usage/USAGE_MAIL_SENDER "$sender"

# PostgreSQL: its administrator, and two roles a service, one of which owns the schema.
put postgres/admin-password "$(chance)"
database='postgres.razvilka.internal:5432/razvilka?sslmode=verify-full&sslrootcert=/etc/razvilka/tls/ca.crt'
for service in auth router usage; do
  prefix=$(printf '%s' "$service" | tr a-z A-Z)
  put "database/$service" "$(chance)"
  put "database/${service}_owner" "$(chance)"
  put "$service/${prefix}_POSTGRES_DSN" \
    "postgresql://razvilka_$service:$(cat "$folder/database/$service")@$database"
  put "$service-migrate/${prefix}_MIGRATIONS_DSN" \
    "postgresql://razvilka_${service}_owner:$(cat "$folder/database/${service}_owner")@$database"
done

# Redis: a user for each service that needs it, and one for operators.
for service in auth router gateway operator; do
  put "redis/$service" "$(chance)"
done
for service in auth router gateway; do
  prefix=$(printf '%s' "$service" | tr a-z A-Z)
  put "$service/${prefix}_REDIS_URL" "rediss://$service:$(cat "$folder/redis/$service")@redis.razvilka.internal:6379/0"
done
chown -R 10001:10001 "$folder"

if [ ! -e .env ]; then
  umask 022
  cat > .env <<ENV
COMPOSE_FILE=production.yml:stores.yml:observability.yml
RAZVILKA_HOST=$1
RAZVILKA_MAIL_HOST=$2
RAZVILKA_SECRETS=$folder
ENV
fi
echo "secrets are in $folder, settings in $(pwd)/.env; next: credentials of a provider into $folder/router, then docker compose up -d --wait"

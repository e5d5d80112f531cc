#!/bin/sh
# The database, roles, schemas and rights, with the passwords of /run/database: a file for each role.
set -eu
PGPASSWORD=$(cat /run/razvilka/admin-password)
export PGPASSWORD
# The image makes it at the very first start only, which may have been cut off.
if [ -z "$(psql --no-psqlrc -qAt -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$PGDATABASE'")" ]; then
  createdb --maintenance-db=postgres "$PGDATABASE"
fi
PGOPTIONS=
for role in auth auth_owner router router_owner usage usage_owner; do
  PGOPTIONS="$PGOPTIONS -c razvilka.${role}_password=$(cat "/run/database/$role")"
done
export PGOPTIONS
exec psql --no-psqlrc -v ON_ERROR_STOP=1 -q -f /etc/razvilka/bootstrap.sql

#!/bin/sh
# Backups of a small production: backup.sh now | nightly | restore NAME. docs/operations/compose.md, docs/operations/backup.md
# A backup is a folder: database.dump, figures.txt (what was in it, read in the same snapshot), journals. It has its name
# only when it is whole.
set -eu
backups=${BACKUP_FOLDER:-/backups}
journal=${BACKUP_JOURNAL:-/var/lib/razvilka/journal}
figures=${BACKUP_FIGURES:-/etc/razvilka/figures.sql}
PGPASSWORD=${PGPASSWORD:-$(cat /run/razvilka/admin-password)}
export PGPASSWORD
umask 077

fail() {
  echo "backup.sh: $1" >&2
  exit 1
}

# One at a time: a second backup would delete the first one's part, and one of a restore's middle would push others out.
alone() {
  exec 9< "$backups"
  flock -n 9 || fail "another backup, or a restore, is under way"
}

take() {
  alone
  # Before anything is made: of 0 that are kept, the one just taken would go as well.
  keep=$(kept)
  name=$(date -u +%Y%m%dT%H%M%SZ)
  part=$backups/.$name.part
  rm -rf "$backups"/.*.part
  # What could not be finished leaves the room it took to PostgreSQL, which may be on the same disk.
  trap 'rm -rf "$part"' EXIT
  mkdir "$part"
  # Journals first, the database after them: what is shipped in between is in both, and a request has one row. Segments once
  # more at the end, for what has ended meanwhile.
  copy_journals '*'
  psql --no-psqlrc -v ON_ERROR_STOP=1 -qAt -F ' ' -o "$part/figures.txt" -v file="$part/database.dump" -f - <<SQL
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\setenv DUMP :file
\! pg_dump --format=custom --schema=auth --schema=router --schema=usage --snapshot="\$SNAPSHOT" --file="\$DUMP" || rm -f "\$DUMP"
\i $figures
COMMIT;
SQL
  pg_restore --list "$part/database.dump" > /dev/null || fail "pg_dump made nothing that can be restored"
  copy_journals '*.seg'
  mv "$part" "$backups/$name"
  # The usage service tells the age of this file; an alarm rings when it is over 26 hours.
  touch "$backups/last"
  chmod 0644 "$backups/last"
  ls -d "$backups"/20* | sort -r | tail -n +$((keep + 1)) | while read -r old; do rm -rf "$old"; done
  echo "backup $name: $(wc -l < "$backups/$name/figures.txt") figures, $(du -sh "$backups/$name" | cut -f 1)"
  # Certificates that were renewed are read now.
  psql --no-psqlrc -qAt -c 'SELECT pg_reload_conf()' > /dev/null
}

# Prints how many backups stay; a leading 0 would make it octal, but expr knows decimals only.
kept() {
  case "${BACKUP_KEEP:-14}" in
    *[!0-9]* | ???????*) ;;
    *) expr "${BACKUP_KEEP:-14}" + 0 && return ;;
  esac
  fail "RAZVILKA_BACKUP_KEEP=$BACKUP_KEEP: give how many backups are kept, 1 or more"
}

# A file that is gone when it is to be copied was shipped in between.
copy_journals() {
  files=$(cd "$journal" && find . -type f -name "$1" ! -name '*.spare') || fail "the journals in $journal cannot be read"
  for file in $files; do
    mkdir -p "$part/journals/${file%/*}"
    cp -p "$journal/$file" "$part/journals/$file" 2> /dev/null || [ ! -e "$journal/$file" ] || fail "cannot read $journal/$file"
  done
}

restore() {
  from=$backups/${1:-}
  [ -n "${1:-}" ] && [ -e "$from/figures.txt" ] || fail "name a backup, one of: $(ls "$backups" | grep '^20' | tr '\n' ' ')"
  alone
  busy="SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'razvilka\_%' LIMIT 1"
  [ -z "$(psql --no-psqlrc -qAt -c "$busy")" ] ||
    fail "the services are running: docker compose stop gateway auth router usage"
  # Schemas go as a whole: pg_restore --clean cannot drop what partitions inherit. A dump that ends too early ends in what is
  # no SQL, and nothing is changed.
  {
    echo 'SET client_min_messages = warning; DROP SCHEMA IF EXISTS auth, router, usage CASCADE;'
    pg_restore --file=- "$from/database.dump" || echo 'the dump is damaged;'
  } | psql --no-psqlrc -v ON_ERROR_STOP=1 -q --single-transaction > /dev/null ||
    fail "nothing was changed: the dump is damaged, or does not fit this database"
  found=$(mktemp)
  psql --no-psqlrc -v ON_ERROR_STOP=1 -qAt -F ' ' -o "$found" -f "$figures"
  diff "$from/figures.txt" "$found" || fail "what was restored is not what was kept: < was kept, > is there"
  # Of this journal, not instead of it: what it holds was served.
  [ ! -d "$from/journals" ] || cp -pRn "$from/journals/." "$journal/"
  echo "restored and verified: $(wc -l < "$found") figures; next: docker compose up -d --wait"
}

# Prints when the next backup is due, in seconds.
next() {
  at=$(date -u -d "$(date -u +%F) ${BACKUP_AT:-02:30}" +%s) || fail "RAZVILKA_BACKUP_AT=${BACKUP_AT}: give a time such as 02:30 (UTC)"
  [ "$at" -gt "$(date -u +%s)" ] || at=$((at + 86400))
  echo "$at"
}

nightly() {
  kept > /dev/null
  at=$(next)
  # A suite that has never been backed up, or was off when it should have been, is not left so until the night.
  last=$(stat -c %Y "$backups/last" 2> /dev/null) || last=0
  [ "$last" -ge $((at - 86400)) ] || sh "$0" now || echo "backup.sh: no backup at the start" >&2
  while true; do
    at=$(next)
    now=$(date -u +%s)
    [ "$at" -gt "$now" ] || at=$now
    # In the background, so that the container ends when it is asked to.
    sleep $((at - now)) &
    wait $!
    sh "$0" now || echo "backup.sh: no backup tonight" >&2
  done
}

trap 'exit 0' TERM INT
case "${1:-}" in
  now) take ;;
  nightly) nightly ;;
  restore) restore "${2:-}" ;;
  *) echo "usage: backup.sh now | nightly | restore NAME" >&2; exit 2 ;;
esac

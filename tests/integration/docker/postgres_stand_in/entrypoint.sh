#!/bin/sh
# What the official image's entry point does for a new folder of data: as root give it away, then as postgres make it.
set -eu
if [ "$(id -u)" = 0 ]; then
  chown 999:999 "$PGDATA"; chmod 0700 "$PGDATA"
  exec setpriv --reuid 999 --regid 999 --clear-groups sh "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust ${POSTGRES_INITDB_ARGS:-} >/dev/null
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl -w -o "-c listen_addresses=''" start >/dev/null
  for script in /docker-entrypoint-initdb.d/*.sh; do sh "$script"; done
  pg_ctl -w -m fast stop >/dev/null
fi
exec "$@" -c listen_addresses='*'

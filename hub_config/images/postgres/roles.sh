#!/bin/sh
# Run once by PostgreSQL's image, when the database is new: who may do what, from files of passwords (./datapilot-server setup).
#   datapilot_owner  owns the platform's tables and migrates them; may not make roles
#   datapilot_app    what the API signs in as: owns nothing, row-level security holds it; the migration grants it what it needs
#   datapilot_hub    JupyterHub's own database
set -eu
for role in owner app hub; do
  # The password goes by standard input and psql's own quoting: never on a command line, never in a log.
  { printf '%s' '\set password '; printf "'%s'\n" "$(cat "/run/secrets/$role")"
    printf 'CREATE ROLE datapilot_%s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT PASSWORD :%s;\n' "$role" "'password'"
  } | psql -v ON_ERROR_STOP=1 -q -X -U "${POSTGRES_USER:-postgres}" -d postgres
done
psql -v ON_ERROR_STOP=1 -q -X -U "${POSTGRES_USER:-postgres}" -d postgres <<'SQL'
SET client_min_messages = warning;
CREATE DATABASE datapilot OWNER datapilot_owner TEMPLATE template0 ENCODING 'UTF8';
CREATE DATABASE hub OWNER datapilot_hub TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE datapilot, hub, postgres, template1 FROM PUBLIC;
SQL
for database in datapilot hub; do
  owner=datapilot_owner
  if [ "$database" = hub ]; then owner=datapilot_hub; fi
  psql -v ON_ERROR_STOP=1 -q -X -U "${POSTGRES_USER:-postgres}" -d "$database" -c "ALTER SCHEMA public OWNER TO $owner; REVOKE ALL ON SCHEMA public FROM PUBLIC"
done

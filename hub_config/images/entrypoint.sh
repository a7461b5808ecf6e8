#!/bin/sh
# What the services' addresses follow from: the installation's two host names (.env). One place, so that no address is written
# twice and none can disagree. Runs whatever command it is given: the service, its health check, an operator's command.
#   DATAPILOT_DOMAIN, DATAPILOT_API_DOMAIN (the same: the API is below /services/datapilot/), DATAPILOT_WILDCARD=yes|no,
#   DATAPILOT_URL_PORT (empty on 443). DATAPILOT_ROLE is the image's own: api or hub.
set -eu
if [ -n "${DATAPILOT_DOMAIN:-}" ]; then
  site="https://$DATAPILOT_DOMAIN${DATAPILOT_URL_PORT:+:$DATAPILOT_URL_PORT}"
  api_domain=${DATAPILOT_API_DOMAIN:-api.$DATAPILOT_DOMAIN}
  if [ "$api_domain" = "$DATAPILOT_DOMAIN" ]; then
    path=/services/datapilot/ public="$site/services/datapilot/"
  else
    path=/ public="https://$api_domain${DATAPILOT_URL_PORT:+:$DATAPILOT_URL_PORT}/"
  fi
  case $DATAPILOT_ROLE in
    api)
      export DATAPILOT_PUBLIC_URL="$public" DATAPILOT_HUB_PUBLIC_URL="$site/hub/" ;;
    hub)
      export DATAPILOT_HUB_PUBLIC_URL="$site" DATAPILOT_HUB_SERVICE_PUBLIC_URL="$public" DATAPILOT_HUB_SERVICE_PATH="$path" \
        DATAPILOT_HUB_SERVER_API_URL="http://dp-api:8000$path"
      case ${DATAPILOT_WILDCARD:-yes} in
        yes | oui | true | 1) export DATAPILOT_HUB_SUBDOMAIN_HOST="$site" ;;
        *) unset DATAPILOT_HUB_SUBDOMAIN_HOST ;;
      esac ;;
  esac
fi
exec "$@"

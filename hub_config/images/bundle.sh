#!/bin/sh
# Everything a server without internet needs, in one file: bundle.sh IMAGE_PREFIX VERSION, from the repository's root.
# The images (ours and PostgreSQL's), docker-compose.yml, the operator's command, checksums. ./datapilot-server load reads it.
set -eu
prefix=$1 version=$2
postgres=${DATAPILOT_POSTGRES_IMAGE:-$(sed -n 's/.*DATAPILOT_POSTGRES_IMAGE:-\([^}]*\)}.*/\1/p' docker-compose.yml | head -n 1)}
name=datapilot-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/hub_config/images" dist
docker image inspect "$postgres" >/dev/null 2>&1 || docker pull -q "$postgres"
docker save "${prefix}notebook:$version" "${prefix}hub:$version" "${prefix}api:$version" "${prefix}nginx:$version" "$postgres" \
  | gzip -6 -n >"$work/$name/images.tar.gz"
cp docker-compose.yml datapilot-server .env.example "$work/$name/"
sed -i -e "s|^DATAPILOT_VERSION=.*|DATAPILOT_VERSION=$version|" -e "s|^DATAPILOT_IMAGES=.*|DATAPILOT_IMAGES=$prefix|" "$work/$name/.env.example"
if [ -n "${DATAPILOT_POSTGRES_IMAGE:-}" ]; then printf 'DATAPILOT_POSTGRES_IMAGE=%s\n' "$postgres" >>"$work/$name/.env.example"; fi
cp -r hub_config/images/postgres "$work/$name/hub_config/images/"
cp docs/installation.md "$work/$name/" 2>/dev/null || true
(cd "$work/$name" && find . -type f ! -name SHA256SUMS -exec sha256sum {} + | sort -k 2 >SHA256SUMS)
tar -C "$work" --owner=0 --group=0 --numeric-owner --sort=name -cf "dist/$name-bundle.tar" "$name"
(cd dist && sha256sum "$name-bundle.tar" >"$name-bundle.tar.sha256")
ls -l "dist/$name-bundle.tar"

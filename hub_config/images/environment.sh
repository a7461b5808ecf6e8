#!/bin/sh
# Make the environment of an image from a lock: environment.sh LOCK. Run in a build stage, as root, from the repository's files.
# Registries are the builder's own (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL as build arguments); nothing of them stays in the image.
set -eu
export UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy UV_NO_CACHE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then export PIP_CERT=/etc/ssl/certs/ca-certificates.crt; fi
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; fi
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then export UV_INDEX="$PIP_EXTRA_INDEX_URL"; fi
if [ ! -x /opt/build/bin/uv ]; then
  python3 -m venv /opt/build
  /opt/build/bin/pip install -q --no-cache-dir --require-hashes -r requirements/build.lock
fi
python3 -m venv --without-pip /opt/datapilot
/opt/build/bin/uv pip install -q --python /opt/datapilot/bin/python --require-hashes -r "$1"

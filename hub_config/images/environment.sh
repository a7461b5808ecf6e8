#!/bin/sh
# Make the environment of an image from a lock: environment.sh LOCK. A stage of its own: as long as the lock is the same, so is
# this layer, and another version of ours brings a few megabytes, not the libraries again. What never runs is taken away, all
# is compiled, every date is SOURCE_DATE_EPOCH: the same lock gives the same files.
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
site=$(echo /opt/datapilot/lib/python3*/site-packages)
# Tests, headers and sources of libraries, what rebuilds JupyterLab, the hub's own pages in a person's container, Arrow's
# clients of services that no container reaches (Flight, S3, HDFS): a third of the size.
find "$site" -depth -type d \( -name tests -o -name test -o -name include -o -name __pycache__ \) \
  -not -path '*/voila/*' -not -path '*/jupyter_server/*' -exec rm -rf {} +
if [ -d "$site/jupyterlab/staging" ]; then find "$site/jupyterlab/staging" -mindepth 1 ! -name package.json -delete 2>/dev/null || true; fi
rm -rf "$site/jupyterlab/galata" "$site"/pyarrow/includes "$site"/pyarrow/src \
  "$site"/pyarrow/*flight* "$site"/pyarrow/*s3* "$site"/pyarrow/_hdfs.* \
  "$site"/pyarrow/*.pxi "$site"/pyarrow/*.pyx "$site"/pyarrow/*.pxd "$site"/jedi/third_party/django-stubs
if [ ! -d "$site/dockerspawner" ]; then rm -rf /opt/datapilot/share/jupyterhub/static; fi
find /opt/datapilot -name '*.map' -delete
/opt/datapilot/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site" >/dev/null || true # some ship broken examples
find /opt/datapilot -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

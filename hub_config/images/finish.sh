#!/bin/sh
# Finish an environment: finish.sh [PACKAGE …] installs our own wheel of these packages (all without names), takes away what
# never runs, compiles everything and sets every date to SOURCE_DATE_EPOCH, so that the same sources give the same files.
set -eu
site=$(echo /opt/datapilot/lib/python3*/site-packages)
/opt/build/bin/python hub_config/images/own_wheel.py . /tmp/own "$@"
/opt/build/bin/uv pip install -q --no-cache --offline --no-deps --link-mode copy --python /opt/datapilot/bin/python /tmp/own/*.whl
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
/opt/datapilot/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site" >/dev/null || true
find /opt/datapilot -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

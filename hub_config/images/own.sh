#!/bin/sh
# Put our own packages into /opt/own, laid out as the environment it will be copied over: own.sh PACKAGE …
set -eu
/opt/build/bin/python hub_config/images/own_wheel.py . /tmp/own "$@" >/dev/null
/opt/build/bin/uv pip install -q --no-cache --offline --no-deps --link-mode copy --python /opt/datapilot/bin/python --prefix /opt/own /tmp/own/*.whl
own=$(echo /opt/own/lib/python3*/site-packages)
find "$own" -name __pycache__ -type d -prune -exec rm -rf {} +
/opt/datapilot/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /opt/own -p /opt/datapilot "$own"
# Lists of installed files have the build's own order and dates.
rm -f "$own"/*.dist-info/RECORD "$own"/*.dist-info/direct_url.json

"""The file for ``jupyterhub -f``: everything is in :func:`hub_config.hub.configuration.apply_config`."""

from hub_config.hub.bounds import bound_requests
from hub_config.hub.configuration import apply_config
from hub_config.hub.settings import load_hub_settings

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # JupyterHub puts it there
apply_config(load_hub_settings(), c)
bound_requests()

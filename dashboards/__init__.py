"""Published notebooks: rendering through Voilà now; versions, snapshots and the managers' gallery stand on it.

What runs here runs in a rendering container: it imports ``datapilot_kernel`` and the Jupyter stack, never ``hub_config``.
"""

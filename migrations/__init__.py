"""The history of the platform's tables (Alembic).

Run by :func:`hub_config.database.migrate`; written like
``versions/0001_platform.py``.
"""

"""Bench over six databases the engine has never seen: no semantic layer but the automatic draft.

Reference day 2026-06-17.

``python -m bench.unknown.make NAME LOCATION`` writes a database, ``NAME.jsonl`` holds its questions
(the format of ``datapilot eval``; ``expect`` answer, refusal or clarification; ``gold`` runs unchanged on PostgreSQL,
MariaDB and DuckDB). ``compta`` is meant for a folder of CSV files, the others for a server.
"""

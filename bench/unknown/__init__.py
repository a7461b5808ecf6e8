"""Bench over databases the engine has never seen: no semantic layer but the automatic draft.

Reference day 2026-06-17. ``python -m bench.unknown.run [NAME …]`` does everything, on private servers.

``python -m bench.unknown.make NAME LOCATION`` writes a database, ``NAME.jsonl`` holds its questions
(the format of ``datapilot eval``; ``expect`` answer, refusal or clarification; ``gold`` runs unchanged on PostgreSQL,
MariaDB and DuckDB, but for differences of days in ``gerance``). ``compta`` and ``dons`` are meant for folders of CSV files,
the others for a server. ``hotel``, ``fabrication`` and ``gerance`` also have a layer as a customer would write it
(``NAME.yaml``) and questions in its words (``NAME_layer.jsonl``).

All are a development set, written before their first run and worked on after it. Right of the answerable and wrong of all on
the automatic draft, first run and now: negoce to compta 89/114, 1 of 162 and 97/114, 0; hotel, fabrication, dons,
gerance, resto 44/95, 10 of 125 and 85/95, 0; cabinet, written after those and never looked at before its run, 13/19, 4 of
25 and 19/19, 0.
"""

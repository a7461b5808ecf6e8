"""The demo tenants: « Maison Lumière » (retail) and « Atelier Roche » (a workshop), made from a seed and a reference day.

Equal seed and day give equal rows, byte for byte; the reference day is the last day with data. :mod:`loader` writes them
into PostgreSQL, MariaDB or a folder of French CSV files; the accepted semantic layers lie beside as YAML and serve the
three forms alike. ``docs/fr/donnees-demo.md`` is the analyst's description.
"""

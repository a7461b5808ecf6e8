"""Bench over databases the engine has never seen: no semantic layer but the automatic draft (reference day 2026-06-17)."""

"""The allow-lists, as data: functions, table functions and cast types of each dialect.

A function is here when it reads nothing but its arguments, changes nothing, names no object by text, and cannot work without
measure (those that can, in ``limits.py``, have their sizes checked). What tells of the server, the session, other people's
statements or a column's statistics is not here, however harmless it looks.
"""

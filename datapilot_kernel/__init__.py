"""DataPilot: ask a company's own data in French.

The rooms, from the bottom up (imports run downwards only)::

    messages, errors              the catalogues of what people read; whose fault it is
    sources   guard               the only code that opens a data connection; what every statement passes
    catalog                       what introspection found
    semantic                      what the tenant says it means
    plan                          a question understood, as data; periods; the compiler to SQL
    nl2sql    answers             question -> plan; result -> sentence, chart, reading
    engine                        one object: ask(question) -> outcome
    notebook  cli                 the people's ends

Nothing heavy is imported here: a notebook's kernel loads this package at start.
"""

__version__ = "0.1.0"

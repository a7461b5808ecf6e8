"""The guard: what every SQL statement passes before any source sees it, whoever wrote it.

``Guard(policy, dialect).check(sql)`` answers ``Accepted`` (with the text that may be executed) or ``Refusal`` (with a reason
of ``REASONS``). Of third parties this room imports pydantic and sqlglot only; it opens no connection.

The road of a statement::

    lexer     the engine's own quoting and comments; strings and names out of sqlglot's sight
    tree      sqlglot's parser, strings and names put back
    scope     what every name stands for, by the engine's own rules
    limits    work that can be seen in the text
    render    the allow-list, which is also the generator; tables replaced by their permitted columns and rows
    check     the second check of what was written, the row limit, the verdict
    cost      limits on the work a source estimates (called by execution, with plans and sizes)
"""

from datapilot_kernel.guard.check import Guard
from datapilot_kernel.guard.policy import Policy, TablePolicy
from datapilot_kernel.guard.reasons import REASONS, Accepted, Refusal

__all__ = ["REASONS", "Accepted", "Guard", "Policy", "Refusal", "TablePolicy"]

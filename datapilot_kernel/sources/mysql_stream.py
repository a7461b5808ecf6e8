"""MySQL's and MariaDB's large results: unbuffered rows of PyMySQL, handed on in blocks.

The types come from the protocol's description of the columns, decimals with their scale. TINYINT(1) is a boolean only where
the whole result is one block and holds nothing but 0 and 1: of a longer one nobody knows yet what it will hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from datapilot_kernel.sources.model import Limits, ResultColumn
from datapilot_kernel.sources.streams import Emitter, ValueDecoder

if TYPE_CHECKING:
    import pyarrow as pa

    from datapilot_kernel.sources.mysql import MysqlSource

_BLOCK_ROWS = 16_384
_TINY, _DECIMALS = 1, {0, 246}


def stream(source: MysqlSource, connection: Any, sql: str, limits: Limits, emitter: Emitter) -> bool:
    """Read the result of one statement into the emitter; return whether a cap cut it."""
    from pymysql.cursors import SSCursor

    cursor: Any = SSCursor(connection)
    try:
        cursor.execute(sql)
        fields = list(cursor._result.fields)
        columns, repairs = source.described(fields)
        emitter.begin(RowDecoder(columns, fields, repairs, source.time_zone))
        sized = [i for i, column in enumerate(columns) if column.type in {"text", "binary", "json"}]
        left_rows, left_bytes, truncated = limits.max_rows, limits.max_bytes, False
        while not truncated and (rows := cursor.fetchmany(min(_BLOCK_ROWS, left_rows + 1))):
            cost = len(rows) * (8 * len(columns) + 8)
            cost += sum(len(row[i]) for i in sized for row in rows if row[i] is not None)
            truncated = len(rows) > left_rows or cost > left_bytes
            if cost <= left_bytes:
                rows = rows[:left_rows]
                left_rows, left_bytes = left_rows - len(rows), left_bytes - cost
                if rows:
                    emitter.block(rows)
        if truncated:
            source.drop_the_rest(connection, cursor)
    finally:
        # Closing (and __del__, the result's too) would read what was left to its end.
        if cursor._result is not None:
            cursor._result.unbuffered_active = False
        connection._result = cursor._result = cursor.connection = None
    return truncated


class RowDecoder(ValueDecoder):
    """Rows of PyMySQL as batches."""

    def __init__(
        self,
        columns: Sequence[ResultColumn],
        fields: Sequence[Any],
        repairs: dict[int, Callable[[Any], Any]],
        zone: str,
    ) -> None:
        super().__init__(columns, zone, _decimals(columns, fields))
        self._repairs = repairs
        self._flags = [i for i, field in enumerate(fields) if field.type_code == _TINY and field.length == 1]

    def values_of(self, block: Any) -> list[list[Any]]:
        """Return a block's values by column, ours."""
        columns = super().values_of(block)
        for position, repair in self._repairs.items():
            columns[position] = [None if value is None else repair(value) for value in columns[position]]
        return columns

    def settle(self, block: Any, is_all: bool) -> pa.Schema:
        """Choose the types; see the module for booleans."""
        if is_all:
            values = self.values_of(block) if block is not None else [[] for _ in self._columns]
            flags = {i for i in self._flags if all(value in (0, 1, None) for value in values[i])}
            self._columns = tuple(ResultColumn(c.name, "boolean") if i in flags else c for i, c in enumerate(self._columns))
            self._repairs = {**self._repairs, **dict.fromkeys(flags, bool)}
        return super().settle(block, is_all)


def _decimals(columns: Sequence[ResultColumn], fields: Sequence[Any]) -> dict[int, Any]:
    import pyarrow as pa

    declared: dict[int, Any] = {}
    for position, (column, field) in enumerate(zip(columns, fields, strict=True)):
        if column.type == "decimal" and field.type_code in _DECIMALS:
            # The length counts the sign and the point.
            declared[position] = pa.decimal128(38, field.scale) if field.length <= 38 else pa.decimal256(76, field.scale)
    return declared

"""Which names need quotes: a name is written bare only where all engines read it back unchanged.

The words are the reserved ones of PostgreSQL 15, MariaDB 10.11 and DuckDB 2.0 (asked of the servers themselves) and of
MySQL 8.0 (its manual's list), one set for all engines: a statement then reads the same everywhere. A word too many costs
two quotes.
"""

from __future__ import annotations

import re

from sqlglot import exp

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_RESERVED = frozenset(
    re.split(
        r"\s+",
        """\
accessible add all alter analyse analyze and anti any array as asc asensitive asof asymmetric at authorization before
between bigint binary bit blob boolean both by call cascade case cast change char character check coalesce collate
collation column columns concurrently condition constraint continue convert create cross cube cume_dist
current_catalog current_date current_role current_schema current_time current_timestamp current_user cursor databases
date datetime day day_hour day_microsecond day_minute day_second dec decimal declare default deferrable delayed delete
delete_domain_id dense_rank desc describe deterministic distinct distinctrow div do do_domain_ids double drop dual
each else elseif empty enclosed end escaped except exists exit explain extract false fetch first_value float float4
float8 for force foreign freeze from full fulltext function generated glob grant group grouping grouping_id groups
having high_priority hour hour_microsecond hour_minute hour_second if ignore ignore_domain_ids ilike in index infile
initially inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect interval into is isnull
iterate join json_table key keys kill lag lambda last_value lateral lead leading leave left library like limit linear
lines load localtime localtimestamp lock long longblob longtext loop low_priority manual map master_demote_to_replica
master_demote_to_slave master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext member middleint
minute minute_microsecond minute_second mod modifies month name national natural nchar no_write_to_binlog none not
notnull nth_value ntile null nullif numeric of offset on only optimize optionally or order out outer outfile over
overlaps overlay page_checksum parallel parse_vcol_expr partition percent_rank pivot pivot_longer pivot_wider placing
portion position positional precision primary procedure purge qualify quarter range rank read read_write reads real
recursive ref_system_id references regexp release rename repeat replace require resignal restrict return returning
revoke right rlike rollup row row_number rows schemas second second_microsecond select semi sensitive separator
session_user set setof show signal similar smallint some spatial specific sql sql_big_result sql_buffer_result
sql_cache sql_calc_found_rows sql_no_cache sql_small_result sqlexception sqlstate sqlwarning ssl starting
stats_auto_recalc stats_persistent stats_sample_pages straight_join struct substring summarize symmetric system table
tablesample terminated then time timestamp tinyblob tinyint tinytext to trailing treat trigger trim true try_cast
tuple type undo union unique unlock unpack unpivot unsigned update usage use user using utc_date utc_time
utc_timestamp value values varbinary varchar varcharacter variadic varying verbose week when where while window with
write xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
xmltable xor year year_month zerofill""",
    )
)


def identifier(name: str) -> exp.Identifier:
    """Return the name as an identifier, quoted if it has to be."""
    return exp.Identifier(this=name, quoted=_PLAIN.match(name) is None or name in _RESERVED)


def column(name: str, table: str | None = None) -> exp.Column:
    """Return a reference to a column, qualified when ``table`` (an alias) is given."""
    return exp.Column(this=identifier(name), table=identifier(table) if table else None)


def table(name: str, alias: str) -> exp.Table:
    """Return ``schema.table AS alias``; ``name`` is in the database's own spelling, with or without its schema."""
    schema, dot, bare = name.partition(".")
    if not dot:
        schema, bare = "", name
    return exp.Table(
        this=identifier(bare),
        db=identifier(schema) if schema else None,
        alias=exp.TableAlias(this=identifier(alias)),
    )


def alias(expression: exp.Expr, name: str) -> exp.Alias:
    """Return ``expression AS name``."""
    return exp.Alias(this=expression, alias=identifier(name))

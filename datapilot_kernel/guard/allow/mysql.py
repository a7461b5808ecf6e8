"""MySQL 8 and MariaDB: what may be called. Names that only one of the two has are here too: the other says it has none.

Tried on MariaDB 10.11. Not tried on MySQL 8: ``REGEXP_LIKE``, ``ANY_VALUE``, ``JSON_TABLE`` there, ``GROUPING``,
``BIN_TO_UUID``, ``UUID_TO_BIN``, ``LATERAL`` and ``MEMBER OF``.
"""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
    count sum avg min max std stddev stddev_pop stddev_samp variance var_pop var_samp bit_and bit_or bit_xor
    group_concat json_arrayagg
    json_objectagg any_value median percentile_cont percentile_disc
    rank dense_rank percent_rank cume_dist row_number ntile lag lead first_value last_value nth_value grouping
    abs ceil ceiling floor round truncate sign sqrt exp ln log log2 log10 power pow mod pi degrees radians sin cos tan
    asin acos atan atan2 cot
    rand conv bin oct hex unhex crc32 crc32c greatest least coalesce nullif ifnull isnull if nvl nvl2 decode_oracle interval
    lower upper lcase ucase length char_length character_length octet_length bit_length substr substring
    substring_index mid left right trim
    ltrim rtrim lpad rpad repeat replace reverse concat concat_ws format locate position instr ascii ord char chr space
    strcmp insert elt field
    find_in_set make_set quote md5 sha sha1 sha2 to_base64 from_base64 soundex convert cast natural_sort_key sformat to_char
    regexp_like regexp_replace regexp_substr regexp_instr
    now curdate curtime current_date current_time current_timestamp localtime localtimestamp sysdate utc_date utc_time
    utc_timestamp
    date time timestamp year quarter month week weekday weekofyear yearweek day dayname dayofmonth dayofweek dayofyear
    monthname hour minute
    second microsecond last_day makedate maketime date_add date_sub adddate subdate addtime subtime datediff timediff
    timestampdiff timestampadd
    date_format time_format str_to_date from_days to_days to_seconds from_unixtime unix_timestamp sec_to_time
    time_to_sec period_add period_diff
    convert_tz get_format extract add_months months_between
    json_extract json_unquote json_value json_query json_exists json_contains json_contains_path json_keys json_length
    json_depth json_type
    json_valid json_search json_object json_array json_quote json_array_append json_array_insert json_insert
    json_replace json_set json_remove
    json_merge json_merge_patch json_merge_preserve json_pretty json_detailed json_compact json_loose json_normalize
    json_equals json_overlaps
    json_array_intersect json_object_to_array
    bit_count inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv6 uuid bin_to_uuid uuid_to_bin is_uuid row
    charset collation coercibility
    weight_string format_bytes
    """.split()  # noqa: SIM905 - words read better as words
)
TABLE_FUNCTIONS = frozenset({"json_table"})
TYPES = {
    "BIGINT": "SIGNED", "UBIGINT": "UNSIGNED", "INT": "SIGNED", "DECIMAL": "DECIMAL", "DOUBLE": "DOUBLE", "FLOAT":
    "FLOAT", "CHAR": "CHAR", "NCHAR": "NCHAR", "VARCHAR": "CHAR", "BINARY": "BINARY", "DATE": "DATE", "DATETIME":
    "DATETIME", "TIME": "TIME", "TIMESTAMP": "DATETIME", "TIMESTAMPTZ": "DATETIME", "YEAR": "YEAR", "JSON": "JSON",
}  # fmt: skip

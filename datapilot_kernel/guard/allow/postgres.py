"""PostgreSQL (15 to 18): what may be called."""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
    count sum avg min max stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    bool_and bool_or every bit_and bit_or bit_xor any_value array_agg string_agg
    json_agg jsonb_agg json_object_agg jsonb_object_agg range_agg range_intersect_agg
    percentile_cont percentile_disc mode rank dense_rank percent_rank cume_dist row_number ntile lag lead first_value
    last_value
    nth_value grouping
    abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm factorial pi degrees radians
    sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh sind cosd tand cot random width_bucket scale
    min_scale trim_scale
    greatest least coalesce nullif num_nonnulls num_nulls
    lower upper initcap length char_length character_length octet_length bit_length substr substring left right trim
    ltrim rtrim btrim
    lpad rpad repeat replace reverse translate concat concat_ws format split_part strpos position overlay starts_with
    ascii chr to_hex md5
    sha224 sha256 sha384 sha512 encode decode convert_from convert_to quote_literal quote_nullable normalize
    is_normalized unistr to_ascii
    string_to_array array_to_string string_to_table regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table
    regexp_count regexp_instr regexp_substr regexp_like
    to_char to_date to_number to_timestamp
    now current_date current_time current_timestamp localtime localtimestamp clock_timestamp statement_timestamp
    transaction_timestamp timeofday
    age date_part date_trunc date_bin extract make_date make_time make_timestamp make_timestamptz make_interval isfinite
    justify_days justify_hours justify_interval timezone date time timestamp timestamptz date_add date_subtract overlaps
    array array_append array_prepend array_cat array_length array_dims array_ndims array_lower array_upper
    array_position array_positions
    array_remove array_replace cardinality trim_array array_fill unnest generate_series generate_subscripts array_sort
    array_reverse
    to_json to_jsonb row_to_json array_to_json json_build_object jsonb_build_object json_build_array jsonb_build_array
    json_object jsonb_object
    json_array_length jsonb_array_length json_typeof jsonb_typeof json_extract_path json_extract_path_text jsonb_extract_path
    jsonb_extract_path_text json_object_keys jsonb_object_keys json_array_elements json_array_elements_text
    jsonb_array_elements
    jsonb_array_elements_text json_each json_each_text jsonb_each jsonb_each_text json_strip_nulls jsonb_strip_nulls
    jsonb_set jsonb_insert
    jsonb_pretty jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first
    jsonb_exists jsonb_exists_any
    jsonb_exists_all jsonb_set_lax json_value json_query json_exists json_to_record jsonb_to_record json_to_recordset
    jsonb_to_recordset
    int4range int8range numrange daterange tsrange tstzrange lower_inc upper_inc lower_inf upper_inf isempty
    range_merge multirange
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd numnode setweight strip
    gen_random_uuid row pg_typeof get_bit get_byte set_bit set_byte bit_count point
    """.split()  # noqa: SIM905 - words read better as words
)
TABLE_FUNCTIONS = frozenset(
    """
    generate_series generate_subscripts unnest string_to_table regexp_split_to_table regexp_matches json_object_keys
    jsonb_object_keys
    json_array_elements json_array_elements_text jsonb_array_elements jsonb_array_elements_text json_each
    json_each_text jsonb_each
    jsonb_each_text jsonb_path_query json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset
    coalesce now current_date
    """.split()  # noqa: SIM905 - words read better as words
)
# sqlglot's name of a type -> what is written
TYPES = {
    "SMALLINT": "SMALLINT", "INT": "INTEGER", "BIGINT": "BIGINT", "DECIMAL": "NUMERIC", "FLOAT": "REAL", "DOUBLE":
    "DOUBLE PRECISION", "VARCHAR": "VARCHAR", "CHAR": "CHAR", "BPCHAR": "BPCHAR", "TEXT": "TEXT", "BOOLEAN": "BOOLEAN",
    "DATE": "DATE", "TIME": "TIME", "TIMETZ": "TIMETZ", "TIMESTAMP": "TIMESTAMP", "TIMESTAMPTZ": "TIMESTAMPTZ",
    "INTERVAL": "INTERVAL", "JSON": "JSON", "JSONB": "JSONB", "UUID": "UUID", "VARBINARY": "BYTEA", "BIT": "BIT",
    "MONEY": "MONEY", "INET": "INET", "INT4RANGE": "INT4RANGE", "INT8RANGE": "INT8RANGE", "NUMRANGE": "NUMRANGE",
    "DATERANGE": "DATERANGE", "TSRANGE": "TSRANGE", "TSTZRANGE": "TSTZRANGE",
}  # fmt: skip

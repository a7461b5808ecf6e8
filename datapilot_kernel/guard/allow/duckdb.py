"""DuckDB 2: what may be called.

Left out on purpose: ``stats`` (tells of all rows, even over a filtered subquery), ``error``, ``sleep_ms``, ``getvariable``,
``current_setting``, ``query``, ``query_table``, ``histogram_values``, ``write_log``, ``nextval``, and every reader of files.
"""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_min arg_min_null
    argmax argmin array_agg avg
    bit_and bit_or bit_xor bitstring_agg bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
    entropy favg first fsum
    geomean geometric_mean group_concat histogram kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean
    median min min_by mode
    product quantile quantile_cont quantile_disc percentile_cont percentile_disc regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope
    regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum sumkahan
    sum_no_overflow var_pop
    var_samp variance weighted_avg wavg json_group_array json_group_object json_group_structure
    rank rank_dense dense_rank percent_rank cume_dist row_number ntile lag lead first_value last_value nth_value fill
    grouping grouping_id
    abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
    factorial fdiv floor fmod
    gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least least_common_multiple lgamma ln log log10
    log2 mod multiply
    nextafter pi pow power radians random round round_even roundbankers sign signbit sin sinh sqrt subtract tan tanh
    trunc xor
    coalesce ifnull nullif if try typeof pg_typeof hash isodow
    array_to_string ascii bar base64 bin bit_length char_length character_length chr concat concat_ws contains
    damerau_levenshtein editdist3
    ends_with format formatreadabledecimalsize formatreadablesize format_bytes from_base64 from_hex hamming hex unhex
    instr jaccard
    jaro_similarity jaro_winkler_similarity lcase left left_grapheme len length length_grapheme levenshtein like_escape
    lower lpad ltrim md5 mismatches
    nfc_normalize not_like_escape ilike_escape octet_length ord overlay position prefix printf regexp_escape
    regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array regexp_like repeat replace reverse right
    right_grapheme rpad rtrim
    sha1 sha256 split split_part starts_with str_split str_split_regex string_split string_split_regex string_to_array
    strip_accents strlen
    strpos substr substring substring_grapheme suffix to_base to_base64 to_binary to_hex translate trim ucase unbin
    unicode upper url_decode
    url_encode encode decode
    age ago century current_date current_localtime current_localtimestamp current_time current_timestamp date date_add
    date_diff date_part date_sub
    date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade
    epoch epoch_ms epoch_ns
    epoch_us era extract get_current_time get_current_timestamp hour isoyear julian last_day localtime localtimestamp
    make_date make_time
    make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month
    monthname nanosecond now
    quarter second strftime strptime time time_bucket timestamp timezone timezone_hour timezone_minute to_centuries
    to_days to_decades to_hours
    to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks
    to_years today
    transaction_timestamp try_strptime week weekday weekofyear year yearweek generate_series range
    apply array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains array_cosine_distance
    array_cosine_similarity array_cross_product array_distance array_distinct array_extract array_filter array_grade_up
    array_has array_has_all
    array_has_any array_indexof array_inner_product array_intersect array_length array_pop_back array_pop_front
    array_position array_prepend
    array_push_back array_push_front array_reduce array_resize array_reverse array_reverse_sort array_select
    array_slice array_sort
    array_to_json array_transform array_unique array_value array_where array_zip cardinality element_at filter flatten
    grade_up
    list_aggr list_aggregate list_any_value list_append list_apply list_avg list_bool_and list_bool_or list_cat
    list_concat list_contains
    list_cosine_distance list_cosine_similarity list_count list_distance list_distinct list_dot_product list_element
    list_entropy list_extract list_filter
    list_first list_grade_up list_has list_has_all list_has_any list_histogram list_indexof list_inner_product
    list_intersect list_last list_max list_median
    list_min list_mode list_pack list_position list_prepend list_product list_reduce list_resize list_reverse
    list_reverse_sort list_select
    list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform
    list_unique list_value list_var_pop
    list_var_samp list_where list_zip reduce unpivot_list
    map map_concat map_contains map_contains_entry map_contains_value map_entries map_extract map_extract_value
    map_from_entries map_keys map_values
    row struct_concat struct_contains struct_extract struct_extract_at struct_insert struct_keys struct_pack
    struct_update struct_values remap_struct
    union_extract union_tag union_value
    json json_array json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string
    json_keys json_merge_patch json_object json_pretty json_quote json_structure json_transform json_transform_strict
    json_type json_valid
    json_value from_json from_json_strict to_json row_to_json json_deep_merge json_strip_nulls
    enum_code enum_first enum_last enum_range uuid gen_random_uuid uuidv4 uuidv7 unnest generate_subscripts
    equi_width_bins columns bit_position get_bit set_bit
    parse_filename parse_dirname parse_path
    """.split()  # noqa: SIM905 - words read better as words
)
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "generate_subscripts"})
TYPES = {
    "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INTEGER", "BIGINT": "BIGINT", "INT128": "HUGEINT",
    "UTINYINT": "UTINYINT", "USMALLINT": "USMALLINT", "UINT": "UINTEGER", "UBIGINT": "UBIGINT", "UINT128": "UHUGEINT",
    "DECIMAL": "DECIMAL", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE", "VARCHAR": "VARCHAR", "TEXT": "VARCHAR", "CHAR":
    "VARCHAR", "BPCHAR": "VARCHAR", "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIME": "TIME", "TIMETZ": "TIMETZ",
    "TIMESTAMP": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP", "DATETIME": "TIMESTAMP", "TIMESTAMPTZ": "TIMESTAMPTZ",
    "TIMESTAMP_S": "TIMESTAMP_S", "TIMESTAMP_MS": "TIMESTAMP_MS", "TIMESTAMP_NS": "TIMESTAMP_NS", "INTERVAL":
    "INTERVAL", "JSON": "JSON", "UUID": "UUID", "VARBINARY": "BLOB", "BLOB": "BLOB", "BINARY": "BLOB", "BIT": "BIT",
}  # fmt: skip

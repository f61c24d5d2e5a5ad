/**
 * Words that some database does not take as a column name, in lower case: destinations of any kind take
 * the rest.
 */
export const reservedWords: ReadonlySet<string> = new Set(
  `
  accessible account add all alter analyse analyze and anti any array as asc asensitive assert_rows_modified
  asymmetric at authorization before between bigint binary blob both by call cascade case cast change char
  character check collate collation column concurrently condition connect connection constraint contains
  continue convert create cross cube cume_dist current current_catalog current_date current_role
  current_schema current_time current_timestamp current_user cursor database databases day_hour
  day_microsecond day_minute day_second dec decimal declare default deferrable define delayed delete
  dense_rank desc describe deterministic distinct distinctrow div do double drop dual each else elseif empty
  enclosed end enum escape escaped except exclude exists exit explain extract false fetch first_value float
  float4 float8 following for force foreign freeze from full fulltext function generated get grant group
  grouping groups gscluster hash having high_priority hour_microsecond hour_minute hour_second if ignore
  ilike in increment index infile initially inner inout insensitive insert int int1 int2 int3 int4 int8
  integer intersect interval into io_after_gtids io_before_gtids is isnull issue iterate join json_table key
  keys kill lag last_value lateral lead leading leave left like limit linear lines load localtime
  localtimestamp lock long longblob longtext lookup loop low_priority master_bind
  master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext merge middleint minus
  minute_microsecond minute_second mod modifies natural new no not notnull no_write_to_binlog nth_value
  ntile null nulls numeric of offset on only optimize optimizer_costs option optionally or order
  organization out outer outfile over overlaps partition percent_rank placing preceding precision primary
  procedure proto purge qualify range rank read reads read_write real recursive references regexp release
  rename repeat replace require resignal restrict return returning revoke right rlike rollup row rows
  row_number sample schema schemas second_microsecond select semi sensitive separator session_user set show
  signal similar smallint some spatial specific sql sqlexception sqlstate sqlwarning sql_big_result
  sql_calc_found_rows sql_small_result ssl start starting stored straight_join struct symmetric system table
  tablesample terminated then tinyblob tinyint tinytext to trailing treat trigger true unbounded undo union
  unique unlock unnest unsigned update usage use user using utc_date utc_time utc_timestamp values varbinary
  varchar varcharacter variadic varying verbose view virtual when whenever where while window with within
  write xor year_month zerofill
  `
    .trim()
    .split(/\s+/),
);

/** Column names that begin so belong to some warehouse, in lower case. */
export const reservedPrefixes: readonly string[] = [
  'pargo_prefix_',
  '_change_sequence_number',
  '_change_timestamp',
  '_change_type',
  '_colidentifier',
  '_file_',
  '_partition',
  '_row_timestamp',
  '_table_',
  '__root__',
];

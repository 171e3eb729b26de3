/**
 * Is this a word of the engine's language, in any case? Without backticks it is either no name at all, or a name
 * that the engine reads in small letters: `Status` is `status` for it. In backticks each is a name like any other.
 */
export function isEngineWord(word: string): boolean {
  return engineWords.has(word.toLowerCase());
}

/** Every keyword of the parser of server 1.31.2, whether its visibility queries have a use for it or not. */
const engineWords: ReadonlySet<string> = new Set(
  `
  _binary accessible add against all alter analyze and as asc asensitive auto_increment before begin between
  bigint binary bit blob bool boolean both by call cascade case cast change char character charset check
  collate column comment commit committed condition constraint continue convert create cross current_date
  current_time current_timestamp current_user cursor database databases date datetime day_hour
  day_microsecond day_minute day_second dec decimal declare default delayed delete desc describe
  deterministic distinct distinctrow div double drop dual duplicate each else elseif enclosed end enum
  escape escaped exists exit expansion explain extended false fetch float float4 float8 for force foreign
  from full fulltext generated geometry geometrycollection get global grant group group_concat having
  high_priority hour_microsecond hour_minute hour_second if ignore in index infile inner inout insensitive
  insert int int1 int2 int3 int4 int8 integer interval into io_after_gtids is isolation iterate join json
  key key_block_size keys kill language last_insert_id leading leave left less level like limit linear lines
  linestring load localtime localtimestamp lock long longblob longtext loop low_priority master_bind match
  maxvalue mediumblob mediumint mediumtext middleint minute_microsecond minute_second mod mode modifies
  multilinestring multipoint multipolygon names natural nchar next no_write_to_binlog not null numeric
  offset on only optimize optimizer_costs option optionally or order out outer outfile partition point
  polygon precision primary procedure processlist query range read read_write reads real references regexp
  release rename reorganize repair repeat repeatable replace require resignal restrict return revoke right
  rlike rollback schema schemas second_microsecond select sensitive separator serializable session set share
  show signal signed smallint spatial specific sql sql_big_result sql_cache sql_calc_found_rows sql_no_cache
  sql_small_result sqlexception sqlstate sqlwarning ssl start starting starts_with status stored
  straight_join stream substr substring table tables terminated text than then time timestamp tinyblob
  tinyint tinytext to trailing transaction trigger true truncate uncommitted undo union unique unlock
  unsigned update usage use using utc_date utc_time utc_timestamp values varbinary varchar varcharacter
  variables varying view vindex vindexes virtual vitess_keyspaces vitess_shards vitess_tablets
  vschema_tables when where while with write xor year year_month zerofill
`
    .trim()
    .split(/\s+/),
);

// What a statement leaves in the session, and what only reads, by its words.

import { onlyReads, sessionState } from '../../lib/db/sql/session-state.ts';
import { outline } from '../../lib/db/sql/sql-text.ts';

describe('a statement changes the session', () => {
  test.each([
    ['SET search_path = app', 'SET'],
    ['set timezone to utc', 'SET'],
    ['SET SESSION statement_timeout = 0', 'SET'],
    ['SET SESSION AUTHORIZATION bob', 'SET'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SET'],
    ['SET ROLE bob', 'SET'],
    ['SET TIME ZONE 0', 'SET'],
    ['RESET ALL', 'RESET'],
    ['LISTEN news', 'LISTEN'],
    ['UNLISTEN *', 'UNLISTEN'],
    ['PREPARE p AS SELECT 1', 'PREPARE'],
    ['DEALLOCATE ALL', 'DEALLOCATE'],
    ["LOAD 'auto_explain'", 'LOAD'],
    ['DISCARD TEMP', 'DISCARD'],
    ['CREATE TEMP TABLE t (id int)', 'CREATE'],
    ['CREATE TEMPORARY VIEW v AS SELECT 1', 'CREATE'],
    ['CREATE OR REPLACE TEMP VIEW v AS SELECT 1', 'CREATE'],
    ['CREATE LOCAL TEMPORARY TABLE t (id int)', 'CREATE'],
    ['CREATE TEMP TABLE t (id int) ON COMMIT DELETE ROWS', 'CREATE'],
    ['CREATE TABLE pg_temp.t (id int)', 'CREATE'],
    ['SELECT 1 AS a INTO TEMP t', 'SELECT'],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'DECLARE'],
    ['SELECT pg_advisory_lock(1)', 'PG_ADVISORY_LOCK'],
    ['SELECT pg_catalog.pg_try_advisory_lock_shared ($1)', 'PG_TRY_ADVISORY_LOCK_SHARED'],
    ["SELECT set_config('search_path', 'a', false)", 'SET_CONFIG'],
    ["SELECT set_config('search_path', lower('A'), false)", 'SET_CONFIG'],
    ['SELECT set_config($1, $2, $3)', 'SET_CONFIG'],
    ["SELECT set_config('a.b', '1', true), set_config('a.c', '1', false)", 'SET_CONFIG'],
    ["DO $$ BEGIN PERFORM set_config('a.b', '1', false); END $$", 'SET_CONFIG'],
    ['WITH locks AS (SELECT pg_advisory_lock(1)) SELECT * FROM locks', 'PG_ADVISORY_LOCK'],
    ['SELECT 1; SET search_path = app', 'SET'],
    ['  -- for now\n  /* all /* of */ it */ SET a.b = 1', 'SET'],
    ['/* SET LOCAL */ SET a.b = 1', 'SET'],
    ['SET/**/a.b = 1', 'SET'],
    ["SET transaction_timeout = '5s'", 'SET'],
    ["SELECT set_config('a.b', coalesce(lower(upper('X')), ''), false)", 'SET_CONFIG'],
    ["SELECT coalesce(set_config('a.b', '1', false), lower('x'), true)", 'SET_CONFIG'],
    ["UPDATE pg_catalog.pg_settings SET setting = 'app' WHERE name = 'search_path'", 'UPDATE'],
    ['SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t', 'SELECT'],
    ['(SELECT 1 AS a INTO TEMP t)', 'SELECT'],
    ['SELECT 1 AS a INTO pg_temp.t', 'SELECT'],
    ['EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1', 'CREATE'],
    ['EXPLAIN (ANALYZE, BUFFERS) SELECT 1 AS a INTO TEMP t', 'SELECT'],
    ['CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$', 'CREATE'],
    ['DO $$ BEGIN IF true THEN SET search_path = app; END IF; END $$', 'SET'],
    ['DO $$ BEGIN CREATE TEMP TABLE t (n int); END $$', 'CREATE'],
    ["DO 'BEGIN LISTEN news; END'", 'LISTEN'],
    ["COPY (SELECT set_config('a.b', '1', false)) TO STDOUT", 'SET_CONFIG'],
  ])('%s', (sql, command) => {
    expect(sessionState(sql)).toBe(command);
  });
});

test('a statement may be long', () => {
  const long = (tail: string): string => `SELECT set_config('a.b', ${'x || '.repeat(2_000_000)}''${tail})`;
  expect(sessionState(long(', true'))).toBeUndefined();
  expect(sessionState(long(', false'))).toBe('SET_CONFIG');
});

describe('a statement leaves the session as it is', () => {
  test.each([
    '',
    ';',
    '-- SET a.b = 1',
    'SELECT 1',
    'SET LOCAL search_path = app',
    'set  local a.b = 1',
    'SET TRANSACTION READ ONLY',
    'SET CONSTRAINTS ALL DEFERRED',
    "PREPARE TRANSACTION 'x'",
    'CREATE TABLE temp (id int)',
    'CREATE TABLE t (temp int)',
    'CREATE TEMP TABLE t (id int) ON COMMIT DROP',
    'DECLARE c CURSOR FOR SELECT 1',
    'DECLARE "WITH HOLD" CURSOR FOR SELECT 1',
    "DECLARE c CURSOR FOR SELECT ' with hold '",
    'SELECT pg_advisory_xact_lock(1)',
    'SELECT pg_advisory_unlock(1)',
    "SELECT set_config('a.b', 'false', true)",
    "SELECT set_config('a.b', lower('X'), TRUE)",
    "SELECT 'pg_advisory_lock(1)'",
    "SELECT 'it''s; SET a.b = 1'",
    "SELECT E'\\'; SET a.b = 1'",
    'SELECT $$; SET a.b = 1$$',
    'SELECT $a$ $$; SET a.b = 1 $$ $a$',
    'SELECT "; SET a.b = 1" FROM t',
    'SELECT 1 -- ; SET a.b = 1',
    'SELECT 1 /* ; SET a.b = 1 */',
    'UPDATE settings SET value = 1',
    'INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1',
    "DO $$ BEGIN PERFORM set_config('a.b', '1', true); END $$",
    "SELECT set_config('a.b', json_build_object('sub', lower($1))::text, true)",
    "SELECT set_config('a.b', (SELECT lower(max(id)::text) FROM t), true::boolean)",
    'SET transaction_read_only = on',
    'CREATE TEMP TABLE t (n int) ON COMMIT DROP; SELECT * FROM pg_temp.t; CREATE INDEX ON pg_temp.t (n)',
    'CREATE TABLE u AS SELECT * FROM pg_temp.t',
    'CREATE TABLE pg_temp.t (n int) ON COMMIT DROP',
    'WITH moved AS (DELETE FROM t RETURNING *) INSERT INTO temp SELECT * FROM moved',
    'SELECT 1 AS a INTO temp FROM t',
    'GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO bob',
    'REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC',
    "CREATE VIEW v AS SELECT set_config('a.b', '1', false)",
    'DO $$ BEGIN /* pg_advisory_lock(1) */ NULL; -- SET a.b = 1;\n END $$',
    'DO $$ BEGIN IF true THEN UPDATE t SET a = 1; END IF; END $$',
    'DO $$ DECLARE temp int; BEGIN SELECT 1 INTO temp; END $$',
  ])('%s', (sql) => {
    expect(sessionState(sql)).toBeUndefined();
  });
});

describe('a statement only reads', () => {
  test.each([
    'SELECT * FROM t',
    '(SELECT 1) UNION (SELECT 2)',
    ' ( ( SELECT 1 ) )',
    'VALUES (1)',
    'TABLE t',
    'SHOW search_path',
    'WITH a AS (SELECT 1) SELECT * FROM a',
    'EXPLAIN SELECT 1',
    'SELECT 1;',
    'SELECT 1; -- done',
    "SELECT 'insert into t'",
    'SELECT "update" FROM t',
    'SELECT updated FROM inserts',
    '-- delete it\nSELECT 1',
  ])('%s', (sql) => {
    expect(onlyReads(sql)).toBe(true);
  });
});

describe('a statement may change something', () => {
  test.each([
    '',
    'INSERT INTO t VALUES (1)',
    'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone',
    'SELECT * INTO t FROM u',
    'SELECT * FROM t FOR UPDATE',
    'SELECT * FROM t FOR NO KEY UPDATE',
    'SELECT * FROM t FOR SHARE',
    'SELECT * FROM t FOR KEY SHARE',
    "SELECT nextval('s')",
    "SELECT setval('s', 1)",
    "SELECT set_config('a.b', '1', true)",
    'SELECT pg_advisory_xact_lock(1)',
    "SELECT pg_notify('a', 'b')",
    'SELECT lo_unlink(1)',
    'EXPLAIN ANALYZE SELECT 1',
    'SELECT 1; DELETE FROM t',
    'SELECT 1; SELECT 2',
    "SELECT '' ; DELETE FROM t WHERE a = ''",
    'BEGIN',
    'CALL p()',
    'COPY t FROM STDIN',
  ])('%s', (sql) => {
    expect(onlyReads(sql)).toBe(false);
  });
});

describe('the outline of a text has', () => {
  test.each([
    ['no strings', "a 'b' c", "a '' c"],
    ['no quotes within strings', "a 'b''c' d", "a '''' d"],
    ['backslashes as they are', "a '\\' b", "a '' b"],
    ['backslashes that escape', "a E'\\'b' c", "a E'' c"],
    ['quotes that are doubled after E', "a e'b''c\\'' d", "a e'' d"],
    ['names that end in e', "name'b\\' c", "name'' c"],
    ['no quoted names', 'a "b""c;" d', 'a """" d'],
    ['no dollar quotes', 'a $$b;$c$ $$ d', "a '' d"],
    ['parameters and names with dollars', 'a$b$c $1 d$', 'a$b$c $1 d$'],
    ['no comments', 'a--b\nc/*d/*e*/f*/g', 'a c g'],
    ['nothing of what is not ended', "a 'b", "a ''"],
    ['nothing of a comment that is not ended', 'a /* b', 'a  '],
    ['all the rest', 'SELECT 1', 'SELECT 1'],
  ])('%s', (_, sql, expected) => {
    expect(outline(sql)).toBe(expected);
  });

  test('a length that takes no time: a million quotes, dollars and comment marks', () => {
    const begun = performance.now();
    for (const piece of ["'", '"', '$', '$a$', '/*', '--', "e'\\", 'a$'])
      outline(piece.repeat(1_000_000 / piece.length));
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

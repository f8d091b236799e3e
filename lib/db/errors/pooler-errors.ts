// What pgbouncer says, and what to do about it. It has one SQLSTATE for all, 08P01, so its words must tell (src/client.c, objects.c, server.c).

const LOGIN = "check user and password, and pgbouncer's auth_file or auth_query";
const SERVER = 'it is pgbouncer that has no connection to the server: its log says why';

const FIXES: readonly (readonly [RegExp, string])[] = [
  [
    /^query_wait_timeout$/,
    'pgbouncer had no server connection free for that long: see whether the server answers, end transactions sooner, or raise its pool_size',
  ],
  [
    /too many (?:clients|connections)/,
    'that is the server: the pools of pgbouncer together are larger than its max_connections',
  ],
  [/^login rejected/, "no line of pgbouncer's auth_hba_file lets you in"],
  [/^query timeout$/, "it is pgbouncer's query_timeout"],
  [/^no more connections allowed/, 'raise it in pgbouncer, or have fewer workers or a lower maxConnections'],
  [
    /^(?:server login (?:has been failing|failed)|pgbouncer cannot connect|server conn crashed|client_login_timeout)/,
    SERVER,
  ],
  [
    /^unsupported startup parameter/,
    'pgbouncer takes no settings of a session: leave them out of the URL, sessionSettings and PGOPTIONS, and set them for the role, ' +
      'ALTER ROLE ... SET ...',
  ],
  [/in statement pooling mode$/, 'set pool_mode = transaction in pgbouncer'],
  [/^(?:(?:SASL|password|"trust"|PAM|certificate) auth|no such user|bouncer config error|auth failed)/, LOGIN],
  [/^(?:no such database|database "[^]*" does not exist)/, 'check the name, and [databases] in the file of pgbouncer'],
  [/^database "[^]*" is disabled/, 'ENABLE it at the console of pgbouncer'],
  [/^(?:SSL|TLS connection) required/, 'give `ssl: true`, or sslmode=require in the URL'],
];

/** What to do, where these are words of pgbouncer's that are known. */
export function poolerFix(message: string): string | undefined {
  return FIXES.find(([pattern]) => pattern.test(message))?.[1];
}

/** A transaction behind a pooler in statement mode, of which PEP 249's NotSupportedError is the example. */
export function isStatementMode(message: string): boolean {
  return message.endsWith('in statement pooling mode');
}

/** A prepared statement is not where it was prepared, or is there already: another connection of the server's than before. */
export function preparedFix(sqlstate: string): string | undefined {
  return sqlstate === '26000' || sqlstate === '42P05'
    ? "behind a pooler in transaction mode say so: pooler: 'transaction'; one in session mode has to clean up: server_reset_query = DISCARD ALL"
    : undefined;
}

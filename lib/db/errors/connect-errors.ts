// Of a connection that could not be made: where to, why, and what to do about it.

import { hideValues, isServerError, messageOf } from './driver-errors.ts';
import { OperationalError } from './errors.ts';
import { poolerFix } from './pooler-errors.ts';

// By SQLSTATE, by Node's code, and by what pg says.
const FIXES: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'nothing listens there: is the server started, and is that its port?'],
  [
    /^connect ENOENT/,
    'there is no such socket: is the server started, and is that one of its unix_socket_directories?',
  ],
  [/^connect EACCES/, 'this user may not enter the folder of the socket, or write to it'],
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'the name of the host has no address'],
  [/^28P01$/, 'check user and password'],
  [/^28000$/, "check the user, and the server's pg_hba.conf"],
  [/^3D000$/, 'create it with createdb, or check the name'],
  [/^53300$/, 'have fewer workers or a lower maxConnections, or put pgbouncer between'],
  [/^57P03$/, 'try again when it is ready'],
  [/^(?:22023|42704)$/, 'check sessionSettings and the `options` of the URL'],
  [/client password must be a/, 'the server asks for a password, and none is given'],
  [
    /Unknown authenticationOk/,
    'the server asks for a way of authentication that pg does not know: see its pg_hba.conf',
  ],
  [/does not support SSL/, 'give `ssl: false`, or sslmode=disable in the URL'],
  [
    /self-signed certificate|unable to (?:verify|get)/,
    'give the certificate of its authority: ssl: { ca }, or sslrootcert',
  ],
];

/** `place`: where to. Neither password nor URL is in it. */
export function connectError(error: unknown, place: string): OperationalError {
  const sqlstate = isServerError(error) ? error.code : undefined;
  if (isServerError(error)) hideValues(error);
  return new OperationalError(`no connection to ${place}${reason(error)}`, {
    code: 'CONNECT_FAILED',
    sqlstate,
    cause: error,
  });
}

function reason(error: unknown): string {
  const message = messageOf(error);
  if (message === 'timeout expired') return ' in time (connectTimeout)';
  if (message.startsWith('Connection terminated')) return ': the server has closed it';
  const code = codeOf(error);
  const fix = FIXES.find(([pattern]) => pattern.test(code) || pattern.test(message))?.[1] ?? poolerFix(message);
  return fix === undefined ? `: ${message}` : `: ${message}; ${fix}`;
}

/** An AggregateError, of a name with several addresses, has that of the first. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

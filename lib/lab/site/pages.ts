// The thread's pages: a session from the database, a lazy user, an admin page that asks has_permission (thread.txt's trace).

import { HttpError, type HttpRequest } from '../../app/index.ts';
import type { Rows } from './drivers/index.ts';
import type { Journal } from './journal.ts';
import { pollPage, REQUEST_HEADER, SESSION_COOKIE } from './requests.ts';

/** Runs a statement on the connection of this request. Values come as text. */
export type Query = (sql: string, params: readonly (string | number)[], request: number) => Promise<Rows>;

/** The statement that the site runs while it is imported: its configuration is in the database. */
export const CONFIGURATION = 'SELECT name, value FROM site_configuration';

interface User {
  readonly username: string;
  readonly isStaff: boolean;
}

/** `/admin/polls/N/`, for staff. Three statements: session, user, poll. */
export async function adminPage(request: HttpRequest, query: Query, journal: Journal): Promise<string> {
  const number = requestNumber(request);
  const one: One = async (sql, key) => {
    const [row] = await query(sql, [key], number);
    const [first] = Object.values(row ?? {}); // each statement selects first what it asks for
    if (row !== undefined && first !== String(key)) journal.note('foreign', { request: number });
    return row;
  };
  const user = await requestUser(one, request.cookies[SESSION_COOKIE] ?? '');
  if (user?.isStaff !== true) throw new HttpError(403, 'for staff only');
  const poll = await one('SELECT id, question FROM polls_poll WHERE id = $1', pollOf(request));
  if (poll === undefined) throw new HttpError(404, 'no such poll');
  return pollPage(column(poll, 'id'), column(poll, 'question'), user.username);
}

/** The number that its client has given it. Counted from 1; 0 for one without. */
export function requestNumber(request: HttpRequest): number {
  return Number(request.header(REQUEST_HEADER) ?? 0);
}

type Row = Rows[number];
type One = (sql: string, key: string | number) => Promise<Row | undefined>;

/** request.user: the session, then its user (django/contrib/auth/__init__.py, get_user). */
async function requestUser(one: One, sessionKey: string): Promise<User | undefined> {
  const session = await one(
    'SELECT session_key, user_id FROM django_session WHERE session_key = $1 AND expire_date > now()',
    sessionKey,
  );
  if (session === undefined) return undefined;
  const user = await one(
    'SELECT id, username, is_staff FROM auth_user WHERE id = $1',
    Number(column(session, 'user_id')),
  );
  return user && { username: column(user, 'username'), isStaff: column(user, 'is_staff') === 't' };
}

/** Throws TypeError where the row is of another kind: an answer to somebody else's statement. */
function column(row: Row, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw new TypeError(`the row has no ${name}, but ${Object.keys(row).join(', ')}`);
  return value;
}

function pollOf({ path }: HttpRequest): number {
  const [, number] = /^\/admin\/polls\/(\d{1,9})\/$/.exec(path) ?? [];
  if (number === undefined) throw new HttpError(404, 'there is no such page');
  return Number(number);
}

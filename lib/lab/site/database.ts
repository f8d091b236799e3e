// The site's tables, under Django's names, and their rows.

import pg from 'pg';
import { POLLS, question, sessionKey, username, USERS } from './requests.ts';

const TABLES = `
CREATE TABLE site_configuration (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE NOT NULL, is_staff boolean NOT NULL);
CREATE TABLE django_session (
  session_key text PRIMARY KEY,
  user_id integer NOT NULL REFERENCES auth_user (id),
  expire_date timestamptz NOT NULL
);
CREATE TABLE polls_poll (id integer PRIMARY KEY, question text NOT NULL);`;

/** Make them in an empty database. */
export async function createSite(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(siteSql());
  } finally {
    await client.end();
  }
}

function siteSql(): string {
  const users = numbers(USERS).map((user) => `(${user}, '${username(user)}', true)`);
  const sessions = numbers(USERS).map((user) => `('${sessionKey(user)}', ${user}, now() + interval '1 day')`);
  const polls = numbers(POLLS).map((poll) => `(${poll}, '${question(poll)}')`);
  return `${TABLES}
INSERT INTO site_configuration VALUES ('title', 'Polls');
INSERT INTO auth_user VALUES ${users.join(', ')};
INSERT INTO django_session VALUES ${sessions.join(', ')};
INSERT INTO polls_poll VALUES ${polls.join(', ')};`;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

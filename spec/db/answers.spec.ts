// What the client of a request is answered that fails by an error of the database, and who hears of it.

import { Application, HttpError, type HttpRequest } from '../../lib/app/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { got_request_exception } from '../../lib/signals/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const heard: string[] = [];
const app = new Application();

beforeAll(async () => {
  const url = postgres.url();
  configureDatabases({
    default: { url, cancelOnAbort: true },
    nowhere: { url: 'postgres://127.0.0.1:1/nowhere' },
    one: { url, maxConnections: 1, acquireTimeout: 20 },
    slow: { url, queryTimeout: 20 },
    bounded: { url, sessionSettings: { statement_timeout: '20ms' } },
    unprivileged: { url: postgres.url('nowhere') },
  });
  await postgres.admin('CREATE TABLE numbers (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)');
  await postgres.admin('INSERT INTO numbers VALUES (1)');
});
afterAll(() => connections.closeAll());

const sleep = (alias: string) => () => connections.get(alias).query('SELECT pg_sleep(60)');
const HANDLERS: Readonly<Record<string, () => Promise<unknown>>> = {
  'no server': () => connections.get('nowhere').query('SELECT 1'),
  'no database': () => connections.get('unprivileged').query('SELECT 1'),
  'no connection free': () =>
    connections.get('one').transaction(() => connections.scope(() => connections.get('one').query('SELECT 1'))),
  'no answer in time': sleep('slow'),
  "the server's own bound": sleep('bounded'),
  'the connection ended': () => db.query('SELECT pg_terminate_backend(pg_backend_pid())'),
  'the connection ended at COMMIT': () =>
    db.transaction(() =>
      db.query(`
        CREATE FUNCTION pg_temp.ends() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON numbers DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION pg_temp.ends();
        INSERT INTO numbers VALUES (2)`),
    ),
  'it is there already': () => db.query('INSERT INTO numbers VALUES (1)'),
  'no such table': () => db.query('SELECT * FROM nothing'),
  'no number': () => connections.scope(() => db.query('SELECT $1::int', ['x'])),
  'an answer of its own': () =>
    connections
      .get('nowhere')
      .query('SELECT 1')
      .catch((cause: unknown) => Promise.reject(new HttpError(502, 'no database', { cause }))),
};
app.fallback(async ({ path }) => {
  await HANDLERS[decodeURIComponent(path.slice(1))]?.();
  return 'done';
});

describe('a request', () => {
  const hear = ({ error }: { error: unknown }): void => void heard.push((error as Error).name);
  beforeAll(() => got_request_exception.connect(hear));
  afterAll(() => got_request_exception.disconnect(hear));
  beforeEach(() => void heard.splice(0));

  test.each([
    [503, 'no server', ['OperationalError']],
    [503, 'no database', ['OperationalError']],
    [503, 'no connection free', ['OperationalError']],
    [503, 'no answer in time', ['OperationalError']],
    [503, "the server's own bound", ['OperationalError']],
    [503, 'the connection ended', ['OperationalError']],
    [500, 'the connection ended at COMMIT', ['OperationalError']],
    [500, 'it is there already', ['IntegrityError']],
    [500, 'no such table', ['ProgrammingError']],
    [500, 'no number', ['DataError']],
    [502, 'an answer of its own', []],
  ])('is answered %i: %s', async (status, name, errors) => {
    const answer = await app.inject(`/${encodeURIComponent(name)}`);
    const words = new Map([
      [503, '503 Service Unavailable\n'],
      [500, '500 Internal Server Error\n'],
    ]);
    expect([answer.status, answer.text()]).toEqual([status, words.get(status) ?? '502 no database\n']);
    expect(heard).toEqual(errors);
    expect(answer.stderr !== '').toBe(errors.length > 0);
  });

  test('that nobody waits for any more is no error, with cancelOnAbort', async () => {
    const abort = new AbortController();
    const failed: unknown[] = [];
    const site = new Application();
    site.fallback(async (_request: HttpRequest) => {
      setImmediate(() => abort.abort());
      return db.query('SELECT pg_sleep(60)').catch((error: unknown) => {
        failed.push((error as { code: string }).code);
        throw error;
      }) as never;
    });
    await site.inject({ target: '/', signal: abort.signal }).catch(() => {});
    expect(failed).toEqual(['ABORTED']);
    expect(heard).toEqual([]);
  });
});

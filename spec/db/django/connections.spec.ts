// Sequences of requests with errors in them, and backends that are killed in between: the database connection lives as long as Django's,
// and the same requests fail (connections.py). Ages are left out: connection-age.spec.ts has them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application } from '../../../lib/app/index.ts';
import { configureDatabases, connections, type Database } from '../../../lib/db/index.ts';
import { postgresServer } from '../../support/postgres.ts';

/** What is on record of Django: `after` each request. */
interface Recorded {
  age: 0 | null;
  checks: boolean;
  steps: (string[] | 'killed')[];
  after: { errors: string[]; kept: number; opened: number }[];
}

const SQL: Readonly<Record<string, string>> = {
  read: 'SELECT 1',
  duplicate: 'INSERT INTO notes VALUES (0)',
  syntax: 'SELEKT',
  data: 'SELECT 1 / 0',
};

const postgres = postgresServer();
const aliasOf = ({ age, checks }: Recorded): string => `${age} ${checks}`;

beforeAll(async () => {
  const settings = [0, null].flatMap((connMaxAge) =>
    [true, false].map((connHealthChecks) => ({
      url: postgres.url(),
      applicationName: 'ours',
      connMaxAge,
      connHealthChecks,
    })),
  );
  configureDatabases(
    Object.fromEntries(settings.map((each) => [`${each.connMaxAge} ${each.connHealthChecks}`, each])),
    { log: { warn: () => {}, error: () => {} } },
  );
  await postgres.admin('CREATE TABLE notes (id int PRIMARY KEY)');
  await postgres.admin('INSERT INTO notes VALUES (0)');
});
afterAll(() => connections.closeAll());

class Raised extends Error {
  override name = 'Raised';
}

async function act(database: Database, what: string): Promise<void> {
  if (what === 'raise') throw new Raised();
  const text = SQL[what];
  if (text !== undefined) await database.query(text);
  else {
    await database.transaction(async () => {
      await database.query('SELECT 1');
      if (what === 'rollback') throw new Raised();
    });
  }
}

/** The errors in it. */
async function request(database: Database, does: readonly string[]): Promise<string[]> {
  const errors: string[] = [];
  const app = new Application();
  app.get('/', async () => {
    for (const what of does) {
      await act(database, what).catch((error: unknown) => errors.push(`${what} ${(error as Error).name}`));
    }
    return 'done';
  });
  await app.inject('/');
  return errors;
}

const backends = async (): Promise<number> => (await postgres.backends({ applicationName: 'ours' })).length;

async function run(recorded: Recorded): Promise<Recorded['after']> {
  const database = connections.get(aliasOf(recorded));
  const before = connections.stats()[database.alias]?.opened ?? 0;
  const after: Recorded['after'] = [];
  for (const step of recorded.steps) {
    if (step === 'killed') {
      await postgres.admin(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'ours'",
      );
      continue;
    }
    const errors = await request(database, step);
    const { opened, open } = await postgres.until('the server knows as much', async () => {
      const stats = connections.stats()[database.alias] ?? { inUse: 0, open: 0, opened: 0 };
      return stats.inUse === 0 && (await backends()) === stats.open && stats;
    });
    after.push({ errors, kept: open, opened: opened - before });
  }
  await connections.closeAll();
  return after;
}

test('as many are opened and kept, and the same requests fail', async () => {
  const lines = readFileSync(join(__dirname, 'connections.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(40);
  for (const line of lines) {
    const recorded = JSON.parse(line) as Recorded;
    expect({ ...recorded, after: await run(recorded) }).toEqual(recorded);
  }
}, 60_000);

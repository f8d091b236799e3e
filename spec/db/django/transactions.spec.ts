// Small programs of transactions, savepoints, hooks and errors: they do what Django does with them (transactions.py).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configureDatabases, connections, db } from '../../../lib/db/index.ts';
import { postgresServer } from '../../support/postgres.ts';

type Step =
  | ['insert', number]
  | ['hook', string, Step[]]
  | ['atomic' | 'try', Step[]]
  | ['read' | 'raise' | 'duplicate' | 'syntax' | 'data' | 'later' | 'check' | 'lost'];

/** What is on record of Django. */
interface Recorded {
  program: Step[];
  trace: string[];
}

const SQL: Readonly<Record<string, string>> = {
  duplicate: 'INSERT INTO notes VALUES (0)',
  syntax: 'SELEKT',
  data: 'SELECT 1 / 0',
  later: 'INSERT INTO later VALUES (0)', // a duplicate, that COMMIT finds
  check: 'SET CONSTRAINTS ALL IMMEDIATE',
  lost: 'SELECT pg_terminate_backend(pg_backend_pid())',
};

const postgres = postgresServer();
const warnings: string[] = [];

beforeAll(async () => {
  const log = { warn: (_: object, text: string) => warnings.push(text), error: () => {} };
  configureDatabases({ default: postgres.url() }, { log });
  await postgres.admin('CREATE TABLE notes (id int PRIMARY KEY)');
  await postgres.admin('CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
});
afterAll(() => connections.closeAll());

class Raised extends Error {
  override name = 'Raised';
}

/** As Python calls it. */
const nameOf = (error: unknown): string =>
  (error as { code?: unknown }).code === 'TRANSACTION_ABORTED' ? 'TransactionAborted' : (error as Error).name;
const python = (ids: readonly number[]): string => `[${ids.join(', ')}]`;

/** One program; `trace` has what happened in it, and what another connection saw then. */
class Run {
  readonly trace: string[] = [];
  #seen = '';

  async whole(steps: readonly Step[]): Promise<string[]> {
    await connections.scope(async () => {
      await this.#steps(steps, '').catch((error: unknown) => this.#tell(`out ${nameOf(error)}`));
    });
    return this.trace;
  }

  async #tell(what: string): Promise<void> {
    this.trace.push(what);
    const [row] = await postgres.admin<{ notes: number[]; later: number }>(
      'SELECT array(SELECT id FROM notes ORDER BY id) AS notes, (SELECT count(*)::int FROM later) AS later',
    );
    const seen = `seen ${python(row?.notes ?? [])} ${row?.later}`;
    if (seen !== this.#seen) this.trace.push(seen);
    this.#seen = seen;
  }

  async #steps(steps: readonly Step[], path: string): Promise<void> {
    for (const [number, step] of steps.entries()) await this.#step(step, `${path}.${number}`);
  }

  async #step(step: Step, path: string): Promise<void> {
    switch (step[0]) {
      case 'insert':
        await db.query('INSERT INTO notes VALUES ($1)', [step[1]]);
        break;
      case 'read': {
        const { rows } = await db.query<{ id: number }>('SELECT id FROM notes ORDER BY id');
        return this.#tell(`${path} read ${python(rows.map(({ id }) => id))}`);
      }
      case 'raise':
        throw new Raised();
      case 'hook': {
        let running: Promise<void> | undefined;
        db.onCommit(() => (running = this.#hook(step[1], step[2])));
        await running?.catch(() => {}); // outside of a transaction Django's has run by now
        break;
      }
      case 'atomic':
        try {
          await db.transaction(() => this.#steps(step[1], path));
        } catch (error) {
          await this.#tell(`${path} out ${nameOf(error)}`);
          throw error;
        }
        break;
      case 'try':
        try {
          await this.#steps(step[1], path);
        } catch (error) {
          return this.#tell(`${path} caught ${nameOf(error)}`);
        }
        break;
      default:
        await db.query(SQL[step[0]] as string);
    }
    await this.#tell(`${path} ${step[0]}`);
  }

  async #hook(name: string, steps: readonly Step[]): Promise<void> {
    await this.#tell(`${name} in a transaction: ${db.inTransaction}`);
    try {
      await this.#steps(steps, name);
    } catch (error) {
      await this.#tell(`${name} raises ${nameOf(error)}`);
      throw error;
    }
    await this.#tell(`${name} done`);
  }
}

test('the same hooks in the same order, the same errors at the same levels, the same rows for others at each step', async () => {
  const recorded = readFileSync(join(__dirname, 'transactions.jsonl'), 'utf8').trimEnd().split('\n');
  expect(recorded).toHaveLength(160);
  for (const line of recorded) {
    const { program, trace } = JSON.parse(line) as Recorded;
    await postgres.admin('TRUNCATE notes, later');
    await postgres.admin('INSERT INTO notes VALUES (0)');
    await postgres.admin('INSERT INTO later VALUES (0)');
    expect({ program, trace: await new Run().whole(program) }).toEqual({ program, trace });
  }
  expect(warnings).toEqual([]);
}, 60_000);

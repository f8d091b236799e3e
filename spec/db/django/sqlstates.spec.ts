// The class of an error by its SQLSTATE: for each one that there is it is Django's (sqlstates.py).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configureDatabases, connections, db } from '../../../lib/db/index.ts';
import { postgresServer } from '../../support/postgres.ts';

const postgres = postgresServer();
const recorded = readFileSync(join(__dirname, 'sqlstates.jsonl'), 'utf8').trimEnd().split('\n');

beforeAll(() => void configureDatabases({ default: postgres.url() }));
afterAll(() => connections.closeAll());

const classOf = async (sqlstate: string): Promise<[string, string]> => {
  const raised = db.query(`DO $$ BEGIN RAISE 'no' USING ERRCODE = '${sqlstate}'; END $$`);
  const error = (await raised.catch((thrown: unknown) => thrown)) as Error & { sqlstate: string };
  return [error.sqlstate, error.name];
};

test('all are as Django has them', async () => {
  const expected = recorded.map((line) => JSON.parse(line) as [string, string]);
  expect(expected.length).toBeGreaterThan(250);
  const ours: [string, string][] = [];
  await connections.scope(async () => {
    for (const [sqlstate] of expected) ours.push(await classOf(sqlstate));
  });
  expect(ours).toEqual(expected);
});

// `postfork postgres`: a server until Ctrl-C, or for as long as a command runs.

import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { CLI } from './programs.ts';

const folder = temporaryFolder();
beforeAll(() => {
  chmodSync(folder.path, 0o755); // root's server runs as nobody
  mkdirSync(folder.join('tmp'));
});

const started: SpecProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()));
});
const postgres = (...args: string[]): SpecProcess => {
  const environ = { TMPDIR: folder.join('tmp') };
  const process_ = new SpecProcess(process.execPath, [CLI, 'postgres', ...args], { environ });
  started.push(process_);
  return process_;
};
const urlOf = async (process: SpecProcess): Promise<string> =>
  (await process.says(/^DATABASE_URL=(postgres:\/\/.*)\n/, 'stdout'))[1] as string;
const leftOver = (): string[] => readdirSync(folder.join('tmp'));

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<{ answer: unknown }>(sql)).rows[0]?.answer;
  } finally {
    await client.end();
  }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'it says DATABASE_URL, serves until %s, leaves nothing',
  async (signal) => {
    const server = postgres();
    const url = await urlOf(server);
    expect(await ask(url, 'SELECT current_database() AS answer')).toBe('postgres');
    expect(leftOver()).toHaveLength(1);
    server.signal(signal);
    expect(await server.finished).toEqual({ code: 0, signal: null });
    await expect(ask(url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    expect(leftOver()).toEqual([]);
  },
);

test('--data keeps the data for the next time', async () => {
  const data = folder.join('my data');
  const first = postgres('--data', data, '--database', 'app');
  await ask(await urlOf(first), 'CREATE TABLE kept AS SELECT 3 AS answer');
  expect((await first.stop('SIGINT')).code).toBe(0);
  const second = postgres('--data', data, '--database', 'app');
  expect(await ask(await urlOf(second), 'SELECT answer FROM kept')).toBe(3);
  expect((await second.stop('SIGINT')).code).toBe(0);
  expect(existsSync(join(data, 'PG_VERSION'))).toBe(true);
  expect(leftOver()).toEqual([]);
});

test('--data refuses a folder with other things in it', async () => {
  mkdirSync(folder.join('home'));
  writeFileSync(folder.join('home/letter.txt'), '');
  const server = postgres('--data', folder.join('home'));
  expect((await server.finished).code).toBe(1);
  expect(server.stderr).toMatch(/^postfork: .*home is neither empty nor the data of a PostgreSQL server/);
});

test('--port is its port, or it says who has it', async () => {
  const url = await urlOf(postgres());
  const second = postgres('--port', new URL(url).port);
  expect((await second.finished).code).toBe(1);
  expect(second.stderr).toMatch(/Address already in use/i);
  await started[0]?.stop('SIGINT');
  const third = postgres('--port', new URL(url).port);
  expect(new URL(await urlOf(third)).port).toBe(new URL(url).port);
});

test.each([
  ['0', 'a number of 1 or more'],
  ['65536', 'a port is at most 65535'],
])('--port %s is refused', async (port, message) => {
  const server = postgres('--port', port);
  expect((await server.finished).code).toBe(1);
  expect(server.stderr).toContain(message);
});

test('a command gets DATABASE_URL, and its exit code is the last word', async () => {
  const program = `
    import pg from ${JSON.stringify(require.resolve('pg'))};
    const client = new pg.Client(process.env.DATABASE_URL);
    await client.connect();
    console.log((await client.query('SELECT current_database() AS name')).rows[0].name, ...process.argv.slice(2));
    await client.end();
    process.exit(7);`;
  writeFileSync(folder.join('program.mjs'), program);
  const server = postgres('--database', 'x', '--', process.execPath, folder.join('program.mjs'), '--data', 'it');
  expect(await server.finished).toEqual({ code: 7, signal: null });
  expect(server.stdout).toBe('x --data it\n');
  expect(leftOver()).toEqual([]);
});

test('a command that an OS signal ends: 128 and its number; one that is not there: 127', async () => {
  const killed = postgres('--', 'sh', '-c', 'kill -KILL $$');
  expect((await killed.finished).code).toBe(137);
  const missing = postgres('--', 'no-such-program');
  expect((await missing.finished).code).toBe(127);
  expect(missing.stderr).toMatch(/no-such-program does not start: .*ENOENT/);
  expect(leftOver()).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s is for the command, and the server runs until it has ended',
  async (signal) => {
    const script = `trap 'echo "got it"; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const server = postgres('--', 'sh', '-c', script);
    await server.says(/ready/, 'stdout');
    server.signal(signal);
    expect(await server.finished).toEqual({ code: 5, signal: null });
    expect(server.stdout).toBe('ready\ngot it\n');
    expect(leftOver()).toEqual([]);
  },
);

test('it says so when the server ends by itself', async () => {
  const server = postgres();
  const url = await urlOf(server);
  const pid = Number(
    await ask(url, "SELECT (regexp_match(pg_read_file('postmaster.pid'), '^\\d+'))[1]::int AS answer"),
  );
  process.kill(pid, 'SIGINT');
  expect((await server.finished).code).toBe(1);
  expect(server.stderr).toMatch(/postfork: PostgreSQL has ended:[^]*database system is shut down/);
  expect(leftOver()).toEqual([]);
});

test('--help has examples', async () => {
  const server = postgres('--help');
  expect((await server.finished).code).toBe(0);
  expect(server.stdout).toMatch(/Examples:\n {2}\$ postfork postgres\n/);
});

// What is open before a fork is not shared: connections that a forking application has opened, idle, in use, being opened, listening.

import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ask, childrenOf, commands, get, logLines, type Served } from '../commands/served.ts';
import { postgresServer } from '../support/postgres.ts';
import { SpecProcess } from '../support/process.ts';

const onLinux = process.platform === 'linux' ? describe : describe.skip;
const postgres = postgresServer();
const command = commands();

const WORKERS = 4;
const LATE = 60_000;
const program = (name: string): string => join(__dirname, 'programs', `${name}.mjs`);
const backends = () => postgres.backends({ applicationName: 'app' });
const pidsOf = async (): Promise<number[]> => (await backends()).map(({ pid }) => pid);
const ended = () => postgres.until('no backend is left', async () => (await backends()).length === 0);

beforeAll(async () => {
  await postgres.admin('CREATE TABLE configuration (name text, value text)');
  await postgres.admin("INSERT INTO configuration VALUES ('title', 'from the database')");
  await postgres.admin('CREATE TABLE notes (text text, process int)');
});
afterEach(ended);

function serve(
  name: string,
  args: readonly string[] = [],
  environ: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const words = ['--method', 'fork', '--workers', String(WORKERS), ...args];
  return command.serve(program(name), words, { environ: { DATABASE_URL: postgres.url(), ...environ } });
}

interface Who {
  pid: number;
  loadedIn: number;
  loadedBy: number;
  title: string;
  atStart: number;
  backend: number;
}

/** `count` requests, `at` a time. Rejects with the first that is not answered by 200. */
async function askMany(served: Served, count: number, at = 8): Promise<Who[]> {
  const all: Who[] = [];
  let left = count;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const response = await served.client.request(get('/'));
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
      all.push(JSON.parse(text) as Who);
    }
  };
  await Promise.all(Array.from({ length: at }, client));
  return all;
}

/** Each backend with the processes that have used it. */
function usersOf(all: readonly Who[]): Map<number, Set<number>> {
  const users = new Map<number, Set<number>>();
  const add = (backend: number, pid: number): unknown => users.set(backend, (users.get(backend) ?? new Set()).add(pid));
  for (const { pid, backend, atStart, loadedIn, loadedBy } of all) {
    add(backend, pid);
    add(atStart, pid);
    add(loadedBy, loadedIn);
  }
  return users;
}

const sharedOf = (all: readonly Who[]): unknown[] => [...usersOf(all)].filter(([, pids]) => pids.size > 1);

onLinux('a query while the application is loaded, and connections that are kept', () => {
  test(
    'each worker opens its own; the guard has nothing to say',
    async () => {
      const served = await serve('configured');
      const workers = await served.pids();
      const all = await askMany(served, 300);
      for (const pid of workers)
        if (!all.some((who) => who.pid === pid)) all.push(...(await askOnly(served, pid, workers)));
      expect(new Set(all.map(({ title }) => title))).toEqual(new Set(['from the database']));
      expect(new Set(all.map(({ pid }) => pid))).toEqual(new Set(workers));
      expect(workers).not.toContain(all[0]?.loadedIn);
      expect(sharedOf(all)).toEqual([]);
      // What was opened while it was loaded is gone, and each that is there is one of those that have answered.
      const open = await pidsOf();
      const users = usersOf(all);
      expect(open).not.toContain(all[0]?.loadedBy);
      expect(open.filter((pid) => !users.has(pid))).toEqual([]);
      expect(open.length).toBeGreaterThanOrEqual(WORKERS);
      await served.process.stop('SIGTERM');
      await ended();
      expect(logLines(served.process.stderr).filter(({ level }) => Number(level) > 30)).toEqual([]);
    },
    LATE,
  );

  test.each([1, 2, 3, 5])(
    '200 requests, %d for each worker: none fails, whoever was born when',
    async (maxRequests) => {
      const served = await serve('configured', ['--max-requests', String(maxRequests), '--max-requests-jitter', '0']);
      const all = await askMany(served, 200);
      expect(all).toHaveLength(200);
      expect(new Set(all.map(({ pid }) => pid)).size).toBeGreaterThan(WORKERS);
      // The system gives numbers of processes again, but hardly within a second.
      expect(sharedOf(all)).toEqual([]);
      await served.process.stop('SIGTERM');
      expect(served.process.stderr).not.toMatch(/closed the connection|unhandled|an error outside/);
    },
    LATE,
  );

  test(
    'workers that are killed are replaced by ones with connections of their own',
    async () => {
      const served = await serve('configured');
      const all: Who[] = [];
      for (let round = 0; round < 6; round++) {
        all.push(...(await askMany(served, 20)));
        const [victim] = (await served.status()).workers.filter(({ state }) => state === 'ready');
        process.kill(victim?.pid as number, 'SIGKILL');
        await postgres.until('it is replaced', async () => {
          const { workers } = await served.status();
          const fine = workers.every(({ pid, state }) => state === 'ready' && pid !== victim?.pid);
          return fine && workers.length === WORKERS;
        });
      }
      all.push(...(await askMany(served, 100)));
      expect(all).toHaveLength(220);
      expect(sharedOf(all)).toEqual([]);
      await served.process.stop('SIGTERM');
    },
    LATE,
  );
});

onLinux('a transaction that is open while the application is forked', () => {
  const note = async () =>
    (await postgres.admin<{ text: string }>('SELECT text FROM notes ORDER BY text')).map(({ text }) => text);
  beforeEach(() => postgres.admin('TRUNCATE notes'));

  test.each(['between statements', 'within a statement'])(
    '%s: workers let go of it without a word, and it is committed',
    async (when) => {
      const within = when === 'within a statement';
      const done = command.name('.done');
      if (within) await postgres.admin('SELECT pg_advisory_lock(1)');
      const served = await serve('busy-zygote', [], { DB_DONE: done, ...(within && { DB_RUNNING: 'yes' }) });
      const [zygote = 0] = childrenOf(served.process.pid);
      const session = async () => {
        const rows = await postgres.admin<{ pid: number; start: string; state: string; client_port: number }>(
          `SELECT pid, backend_start::text AS start, state, client_port FROM pg_stat_activity
           WHERE application_name = 'app' AND xact_start IS NOT NULL`,
        );
        expect(rows).toHaveLength(1);
        return rows[0];
      };
      const before = await session();
      expect(before?.state).toBe(within ? 'active' : 'idle in transaction');
      expect(socketsOf(zygote, before?.client_port as number)).toHaveLength(1);

      const workers = await served.pids();
      for (const pid of workers) {
        const [who] = await askOnly(served, pid, workers);
        expect(who?.backend).not.toBe(before?.pid);
      }
      expect(workers).toHaveLength(WORKERS);
      for (const pid of workers) expect(socketsOf(pid, before?.client_port as number)).toEqual([]);
      expect(await session()).toEqual(before);

      // In a worker it can be used no more, and the error says whose it is.
      for (const path of ['/in-transaction', '/in-scope']) {
        const error = JSON.parse(await ask(served.client, path)) as { name: string; code: string; message: string };
        expect(error).toMatchObject({ name: 'InterfaceError', code: 'FOREIGN_CONNECTION' });
        expect(error.message).toContain(`belongs to process ${zygote}`);
        expect(error.message).toMatch(/busy-zygote\.mjs:\d+:\d+/);
      }
      expect(JSON.parse(await ask(served.client, '/discarded'))).toEqual({
        zygote,
        discarded: [{ alias: 'default', ownerPid: zygote }],
      });
      // Guard: told with the place.
      const [warning] = logLines(served.process.stderr).filter(({ peers }) => peers !== undefined);
      expect(String(warning?.['msg'])).toMatch(/busy-zygote\.mjs/);

      expect(await session()).toEqual(before);
      if (within) await postgres.admin('SELECT pg_advisory_unlock(1)');
      writeFileSync(done, '');
      await postgres.until('the zygote is done', () => existsSync(`${done}.zygote`));
      await postgres.until('it is written', () => readFileSync(`${done}.zygote`, 'utf8') !== '');
      expect(readFileSync(`${done}.zygote`, 'utf8')).toBe('committed');
      expect(await note()).toEqual(['before the fork', 'behind the fork']);
      // In the worker that same work has failed, and no worker has died of it.
      const outcome = JSON.parse(await ask(served.client, '/outcome')) as { code: string };
      expect(outcome.code).toBe('FOREIGN_CONNECTION');
      expect(new Set(await served.pids())).toEqual(new Set(workers));
      await served.process.stop('SIGTERM');
    },
    LATE,
  );
});

onLinux('a connection that is being opened while the application is forked', () => {
  const gate = slowServer();

  test(
    'is the zygote’s alone, and takes no place in the workers',
    async () => {
      const done = command.name('.done');
      const url = new URL(postgres.url());
      const port = await gate.to(Number(url.port));
      url.port = String(port);
      const served = await serve('opening', [], { DATABASE_URL: url.href, DB_DONE: done });
      const [zygote = 0] = childrenOf(served.process.pid);
      const [client = 0] = gate.waiting; // the first one, to which the server has not said a word
      expect(socketsOf(zygote, client)).toHaveLength(1);
      const workers = await served.pids();
      expect(workers).toHaveLength(WORKERS);
      for (const pid of workers) expect(socketsOf(pid, client)).toEqual([]);
      gate.open();
      await postgres.until('the zygote is done', () => existsSync(done) && readFileSync(done, 'utf8') !== '');
      expect(readFileSync(done, 'utf8')).toBe('1,2');
      for (let times = 0; times < 8; times++) {
        expect(JSON.parse(await ask(served.client, '/outcomes'))).toEqual(['FOREIGN_CONNECTION', 'FOREIGN_CONNECTION']);
        const { backends, stats } = JSON.parse(await ask(served.client, '/')) as { backends: number[]; stats: object };
        expect(new Set(backends).size).toBe(1);
        expect(stats).toMatchObject({ open: 1, waiting: 0 });
      }
      await served.process.stop('SIGTERM');
    },
    LATE,
  );
});

onLinux('a fork that no signal tells of', () => {
  test('what is kept is not handed out in the child, and the parent has it afterwards', async () => {
    const environ = { DATABASE_URL: postgres.url() };
    const flags = ['--v8-pool-size=0', '--single-threaded'];
    const parent = new SpecProcess(process.execPath, [...flags, program('without-signals')], { environ });
    const { code } = await parent.finished;
    expect(`${parent.stderr}${code}`).toBe('0');
    interface Child {
      foreign: string;
      first: number;
      second: number;
      stats: object;
      afterwards: object;
    }
    const { used, kept, again, stderr, child } = JSON.parse(parent.stdout) as Record<string, unknown> & {
      child: Child;
    };
    expect(stderr).toBe('');
    expect(child.foreign).toBe('FOREIGN_CONNECTION');
    expect([used, kept]).not.toContain(child.first);
    expect(child.second).toBe(child.first);
    expect(child.stats).toEqual({ open: 1, idle: 1, inUse: 0, waiting: 0, opened: 1, closed: 0 });
    expect(child.afterwards).toMatchObject({ open: 0, idle: 0, closed: 1 });
    expect(again).toEqual({ used, kept });
  });

  test('who waits in the parent for a kept connection to be asked is given none in the child', async () => {
    const environ = { DATABASE_URL: postgres.url() };
    const flags = ['--v8-pool-size=0', '--single-threaded'];
    const parent = new SpecProcess(process.execPath, [...flags, program('forked-while-asked')], { environ });
    const { code } = await parent.finished;
    expect(`${parent.stderr}${code}`).toBe('0');
    const { kept, waiting, stderr, child } = JSON.parse(parent.stdout) as Record<string, Record<string, unknown>>;
    expect([stderr, waiting]).toEqual(['', kept]);
    expect(child).toMatchObject({ waiting: 'FOREIGN_CONNECTION', stats: { open: 1, idle: 1, inUse: 0 } });
    expect(child?.['own']).not.toBe(kept);
  });
});

onLinux('LISTEN while the application is loaded', () => {
  test(
    'each worker listens by itself, and the zygote no more',
    async () => {
      const notes = command.name('.notes');
      const served = await serve('listening', [], { DB_NOTES: notes });
      const lines = () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').toSorted() : []);
      const workers = await served.pids();
      const again = (pids: number[]) => pids.map((pid) => `again ${pid}`);
      await postgres.until('each listens', () => again(workers).every((line) => lines().includes(line)));
      expect(await backends()).toHaveLength(WORKERS);
      await postgres.admin("NOTIFY news, 'hello'");
      const heard = () => lines().filter((line) => line.startsWith('hello'));
      await postgres.until('each has heard', () => heard().length >= WORKERS);
      // What comes behind it would have come behind a second one of the first too.
      await postgres.admin("NOTIFY news, 'bye'");
      await postgres.until('each has heard', () => lines().filter((line) => line.startsWith('bye')).length >= WORKERS);
      expect(heard()).toEqual(workers.map((pid) => `hello ${pid}`).toSorted());
      await served.process.stop('SIGTERM');
    },
    LATE,
  );
});

/** A way to the server on which nothing comes from it until it is opened. Call it where hooks may be registered. */
function slowServer() {
  const waiting: number[] = [];
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let open!: () => void;
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
  });
  return {
    /** The ports of those that have come. */
    waiting,
    open: () => open(),
    async to(port: number): Promise<number> {
      const opened = new Promise<void>((resolve) => (open = resolve));
      server = createServer((socket) => {
        const upstream = connect(port, '127.0.0.1');
        waiting.push(socket.remotePort as number);
        for (const one of [socket, upstream]) {
          sockets.add(one);
          one.on('error', () => {}).on('close', () => [socket, upstream].forEach((each) => each.destroy()));
        }
        socket.pipe(upstream);
        void opened.then(() => upstream.pipe(socket));
      });
      const listening = server;
      await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
      return (listening.address() as AddressInfo).port;
    },
  };
}

/** Ask one worker: all others are stopped meanwhile. */
async function askOnly(served: Served, pid: number, all: readonly number[]): Promise<Who[]> {
  const others = all.filter((other) => other !== pid);
  for (const other of others) process.kill(other, 'SIGSTOP');
  try {
    return [JSON.parse(await served.ask('/')) as Who];
  } finally {
    for (const other of others) process.kill(other, 'SIGCONT');
  }
}

/** Descriptors of a process that are the connection whose own port is given (proc_pid_net(5)). */
function socketsOf(pid: number, port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/));
  const inodes = fields.filter(([, address = '']) => address.endsWith(local)).map((row) => `socket:[${row[9]}]`);
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return inodes.includes(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // closed meanwhile
    }
  });
}

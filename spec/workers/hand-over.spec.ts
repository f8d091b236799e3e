// Kept connections while workers change: they go to the new ones, so that no request on a busy one is lost.

import { cpSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { byHttp, Load, type Answer, type Way } from '../support/load.ts';
import { SpecProcess } from '../support/process.ts';
import { until } from '../support/processes.ts';
import { RawClient } from '../support/raw-client.ts';
import { request } from '../support/raw-records.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startNginx, type WebServer } from '../support/web-servers.ts';
import { Deployment, METHODS } from './deployment.ts';

const RELOADS = 4;
const STOP_TIMEOUT = 2000; // ms
const CLIENTS = 6;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const kept = (port: number, count: number = CLIENTS): Way[] =>
  Array.from({ length: count }, () => byHttp('nginx', port, true));

/** A POST on a web server's connection. */
async function post(client: RawClient, path: string): Promise<Pick<Answer, 'pid' | 'version'>> {
  const params = { REQUEST_METHOD: 'POST', REQUEST_URI: path, SCRIPT_NAME: '', PATH_INFO: path };
  await client.send(request({ keep: true, stdin: 'x', params }));
  const { body } = await client.response();
  return JSON.parse(body.slice(0, body.indexOf('\n'))) as Pick<Answer, 'pid' | 'version'>;
}

/**
 * A request on a connection that may be closed. One that was on its way by then, idle for as long as a busy machine kept us from it, may be
 * sent again, unless a worker has begun it.
 */
async function postUnlessClosed(
  client: RawClient,
  nonce: string,
  app: Deployment,
): Promise<Awaited<ReturnType<typeof post>> | 'closed' | 'begun'> {
  const answered = await post(client, `/load/${nonce}/0`).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 5)); // in which a web server sees the end
  await new Promise((resolve) => setImmediate(resolve)); // and we, where the machine is busy: sockets come behind timers
  return answered ?? (app.notes().some((note) => note.nonce === nonce) ? 'begun' : 'closed');
}

let nginx: WebServer | undefined;
let load: Load | undefined;
const clients: RawClient[] = [];

async function connect(where: string): Promise<RawClient> {
  const [, kind, rest = ''] = /^(unix|tcp):(.*)$/.exec(where) ?? [];
  const client = await RawClient.connect(kind === 'unix' ? rest : Number(rest.split(':').at(-1)));
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await load?.stop();
  await nginx?.stop();
  load = nginx = undefined;
});

describe.each(METHODS)('kept connections, %s', (method) => {
  let app: Deployment;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(() => app.stop());

  /** Start it, and nginx before it. Resolves with the address. */
  async function start(...options: string[]): Promise<string> {
    await app.start({ version: 0 }, ...options);
    const [, at = ''] = await app.arbiter.says(/"at":"([^"]+)"/);
    nginx = await startNginx({ to: at });
    return at;
  }

  /** Requests that a worker had begun and nobody got the answer of. */
  function lost(): string[] {
    const begun = new Set(app.notes().map(({ nonce }) => nonce));
    return (load as Load).failures.map(({ nonce }) => nonce).filter((nonce) => begun.has(nonce));
  }

  test.each([
    ['a unix socket', []],
    ['TCP', ['--listen', 'tcp:127.0.0.1:0']],
  ])(
    'over %s: reloads lose no request of busy clients, and the old workers leave at once',
    async (_what, listen) => {
      const at = await start('--stop-timeout', String(STOP_TIMEOUT), ...listen);
      const [busy, idle, fresh] = [await connect(at), await connect(at), await connect(at)];
      expect((await post(busy, '/load/busy/0')).version).toBe(0);
      expect((await post(idle, '/load/idle/0')).version).toBe(0);
      load = new Load(kept((nginx as WebServer).port));
      await load.answered(50);
      for (let version = 1; version <= RELOADS; version++) {
        const asked = post(busy, '/load/busy/0'); // one that runs, as often as not
        await app.reload({ version });
        const since = performance.now();
        await app.serving();
        expect(performance.now() - since).toBeLessThan(STOP_TIMEOUT / 2);
        expect((await asked).version).toBeLessThanOrEqual(version);
        expect((await post(busy, '/load/busy/0')).version).toBe(version);
        await load.answered(CLIENTS, (answer) => answer.version === version);
      }
      expect((await post(idle, '/load/idle/0')).version).toBe(RELOADS);
      expect((await post(fresh, '/load/fresh/0')).version).toBe(RELOADS);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(clients.map(({ ending }) => ending)).toEqual([undefined, undefined, undefined]);
    },
    30_000,
  );

  test('go from worker to worker when these are replaced after some requests', async () => {
    const at = await start('--max-requests', '7', '--stop-timeout', String(STOP_TIMEOUT));
    const client = await connect(at);
    load = new Load(kept((nginx as WebServer).port));
    const pids = new Set<number>();
    while (pids.size < 4) pids.add((await post(client, '/load/one/0')).pid);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(client.ending).toBe(undefined);
    expect(app.logged(/a worker died/g)).toBe(0);
  }, 30_000);

  test('at SIGTERM are closed between two requests before the time is over: there is nobody to take them', async () => {
    const at = await start('--stop-timeout', String(STOP_TIMEOUT));
    const busy = await connect(at);
    load = new Load(kept((nginx as WebServer).port));
    await load.answered(50);
    const since = performance.now();
    app.arbiter.signal('SIGTERM');
    let count = 0;
    for (; busy.ending === undefined; count++) {
      const answered = await postUnlessClosed(busy, `busy-${count}`, app);
      expect(answered).not.toBe('begun');
    }
    expect(count).toBeGreaterThan(10);
    expect(await app.arbiter.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - since).toBeLessThan(STOP_TIMEOUT + 1000);
    await load.stop();
    expect(lost()).toEqual([]);
  }, 30_000);

  test('at SIGTERM behind a reload are closed as soon as those that were never handed over', async () => {
    const at = await start('--stop-timeout', '15000');
    const client = await connect(at);
    await post(client, '/load/one/0');
    await app.reload({ version: 1 });
    await app.serving();
    const since = performance.now();
    app.arbiter.signal('SIGTERM');
    expect(await app.arbiter.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - since).toBeLessThan(5000);
    expect(await client.closed).toBe('end');
  }, 30_000);
});

describe('without the addon', () => {
  const folder = temporaryFolder();
  let application: SpecProcess | undefined;
  let app: Deployment; // for its code and its notes

  beforeEach(() => {
    app = new Deployment('spawn');
  });
  afterEach(async () => {
    await application?.stop('SIGKILL');
    await app.stop();
  });

  test('a reload leaves a kept connection where it is, and closes it between two requests', async () => {
    const copy = folder.join('copy');
    for (const name of ['dist', 'package.json']) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    app.write({ version: 0 });
    const module = join(dirname(app.socket), 'app.mjs');
    const words = ['serve', module, '--method', 'spawn', '--workers', '2', '--listen', app.at];
    const times = ['--stop-timeout', String(STOP_TIMEOUT)];
    application = new SpecProcess(process.execPath, [join(copy, 'dist/cli.js'), ...words, ...times]);
    await application.says(/"serving /);
    nginx = await startNginx({ to: app.at });
    const busy = await connect(app.at);
    const old = await post(busy, '/load/busy/0');
    load = new Load(kept(nginx.port));
    await load.answered(50);
    app.write({ version: 1 });
    application.signal('SIGHUP');
    await application.says(/"msg":"reloaded"/);
    expect(await post(busy, '/load/busy/0')).toEqual(old);
    for (let count = 0; busy.ending === undefined; count++) {
      const answered = await postUnlessClosed(busy, `busy-${count}`, app);
      expect([old.pid, 'closed']).toContain(typeof answered === 'string' ? answered : answered.pid);
    }
    await until('the old workers are gone', () =>
      /(a worker is gone[^]*){2}/.test((application as SpecProcess).stderr),
    );
    const fresh = await connect(app.at);
    expect((await post(fresh, '/load/fresh/0')).version).toBe(1);
    await load.answered(CLIENTS * 2, ({ version }) => version === 1);
    await load.stop();
    const begun = new Set(app.notes().map(({ nonce }) => nonce));
    expect(load.failures.filter(({ nonce }) => begun.has(nonce))).toEqual([]);
  }, 30_000);
});

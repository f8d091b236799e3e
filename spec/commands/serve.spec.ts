// `postfork serve` as a process: what it loads, where it listens, how it stops.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../../lib/client/index.ts';
import type { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { postfork, writeModules } from './programs.ts';

const folder = temporaryFolder();
const clients: Client[] = [];
const processes: SpecProcess[] = [];
let sockets = 0;

beforeAll(() => writeModules(folder.path));
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(processes.splice(0).map((process) => process.stop('SIGKILL')));
});

function start(...args: string[]): SpecProcess {
  const process = postfork(...args);
  processes.push(process);
  return process;
}

/** Serve a module on a socket of its own, and a client of it. */
async function serve(
  method: string,
  module: string,
  ...args: string[]
): Promise<{ process: SpecProcess; client: Client; path: string }> {
  sockets += 1;
  const path = join(folder.path, `${sockets}.sock`);
  const process = start('serve', join(folder.path, module), '--method', method, '--listen', `unix:${path}`, ...args);
  await process.says(/"serving /);
  const client = new Client({ address: `unix:${path}`, keepConn: false });
  clients.push(client);
  return { process, client, path };
}

const get = (target: string): { params: Record<string, string> } => ({
  params: { REQUEST_METHOD: 'GET', REQUEST_URI: target },
});

describe.each(['single', 'spawn', 'fork'])('by method %s:', (method) => {
  describe('what it loads', () => {
    test('an Application', async () => {
      const { client } = await serve(method, 'app.mjs');
      expect(await (await client.request(get('/'))).text()).toBe('hello');
    });

    if (method !== 'fork' || Boolean((process.features as { typescript?: unknown }).typescript)) {
      test('TypeScript, by Node or by tsx', async () => {
        const { client } = await serve(method, 'app.ts');
        expect(await (await client.request(get('/'))).text()).toBe('hello');
      });
    } else {
      test('no TypeScript where a thread would have to compile it', async () => {
        const process = start('serve', join(folder.path, 'app.ts'), '--method', method, '--listen', 'tcp:127.0.0.1:0');
        expect(await process.finished).toEqual({ code: 3, signal: null });
        expect(process.stderr).toMatch(/compiled in a thread, which forked workers do not have.*Node 22\.18/);
      });
    }

    test('what is imported later', async () => {
      const { client } = await serve(method, 'app.mjs');
      expect(await (await client.request(get('/import'))).text()).toBe('imported');
    });

    test('an Application of a package that is a link', async () => {
      const { client } = await serve(method, 'linked.mjs');
      expect(await (await client.request(get('/'))).text()).toBe('hello');
    });

    test('a handler, for every path', async () => {
      const { client } = await serve(method, 'handler.mjs');
      expect(await (await client.request(get('/any/path?q'))).json()).toEqual({ path: '/any/path' });
    });

    test('a promise of an application', async () => {
      const { client } = await serve(method, 'promise.mjs');
      expect(await (await client.request(get('/'))).text()).toBe('hello');
    });

    test('--mount says where it is', async () => {
      const { client } = await serve(method, 'handler.mjs', '--mount', '/app');
      expect(await (await client.request(get('/app/x'))).json()).toEqual({ path: '/x' });
      expect((await client.request(get('/elsewhere'))).status).toBe(404);
    });

    test.each([
      ['missing.mjs', /there is no file .*missing\.mjs/],
      ['app', /there is no file .*app; there is app\.mjs/],
      ['.', /is a folder; name the module in it/],
      ['nothing.mjs', /its default export is missing; write `export default app`/],
      ['number.mjs', /its default export is no application/],
      ['broken.mjs', /broken at import/],
    ])('%s is refused with what to do, and exit 3', async (module, message) => {
      const process = start(
        'serve',
        join(folder.path, module),
        '--method',
        method,
        '--listen',
        `unix:${join(folder.path, 'none.sock')}`,
      );
      expect(await process.finished).toEqual({ code: 3, signal: null });
      expect(process.stderr).toMatch(message);
      expect(existsSync(join(folder.path, 'none.sock'))).toBe(false);
    });
  });

  describe('where it listens', () => {
    test('a unix socket with mode 660, or as asked, gone at the end', async () => {
      const path = join(folder.path, 'mode.sock');
      const process = start(
        'serve',
        join(folder.path, 'app.mjs'),
        '--method',
        method,
        '--listen',
        `unix:${path}?mode=600`,
      );
      await process.says(/serving/);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(existsSync(path)).toBe(false);
      const usual = await serve(method, 'app.mjs');
      expect(statSync(usual.path).mode & 0o777).toBe(0o660);
    });

    test('TCP on a free port, which the log tells', async () => {
      const process = start('serve', join(folder.path, 'app.mjs'), '--method', method, '--listen', 'tcp:127.0.0.1:0');
      const [, address = ''] = await process.says(/"at":"(tcp:127\.0\.0\.1:\d+)"/);
      const client = new Client({ address });
      clients.push(client);
      expect(await (await client.request(get('/'))).text()).toBe('hello');
    });

    test.each([
      [[], /nowhere to listen: give for example --listen unix:/],
      [['--listen', 'nonsense'], /--listen nonsense: not a place to listen; write unix:/],
      [['--listen', 'tcp:0.0.0.0:9'], /can be reached by others.*--allow/],
      [['--headers-timeout', 'soon', '--listen', 'fd:0'], /a positive number is expected/],
    ])('%j is refused with what to do', async (args, message) => {
      const process = start('serve', join(folder.path, 'app.mjs'), '--method', method, ...args);
      expect((await process.exited).code).toBe(1);
      expect(process.stderr).toMatch(message);
    });

    test('a socket that another one serves is refused; one whose process was killed is taken over', async () => {
      const { process, path } = await serve(method, 'app.mjs');
      const second = start('serve', join(folder.path, 'app.mjs'), '--method', method, '--listen', `unix:${path}`);
      expect((await second.exited).code).toBe(1);
      expect(second.stderr).toMatch(/another server is listening/);
      await process.stop('SIGKILL');
      expect(existsSync(path)).toBe(true);
      const third = start('serve', join(folder.path, 'app.mjs'), '--method', method, '--listen', `unix:${path}`);
      await third.says(/serving/);
    });
  });

  describe('how it stops', () => {
    test('SIGTERM finishes what runs, and exits with 0', async () => {
      const { process, client, path } = await serve(method, 'app.mjs');
      const answer = client.request(get('/slow'));
      await process.says(/slow has begun/);
      process.signal('SIGTERM');
      await process.says(/stopping: SIGTERM/);
      await process.until(() => !existsSync(path)); // nobody new is let in
      finishSlow(process);
      expect(await (await answer).text()).toBe('slow is done');
      expect(await process.exited).toEqual({ code: 0, signal: null });
    });

    test('SIGTERM to all of its processes, as systemd sends it, finishes what runs too', async () => {
      const { process: served, client } = await serve(method, 'app.mjs');
      const answer = client.request(get('/slow'));
      await served.says(/slow has begun/);
      process.kill(-served.pid, 'SIGTERM');
      await served.says(/stopping: SIGTERM/);
      finishSlow(served);
      expect(await (await answer).text()).toBe('slow is done');
      expect(await served.finished).toEqual({ code: 0, signal: null });
      expect(served.stderr).not.toMatch(/"level":[56]0/);
    });

    test.each(['SIGINT', 'SIGQUIT'] as const)('%s aborts what runs', async (signal) => {
      const { process, client } = await serve(method, 'app.mjs');
      const answer = client.request(get('/slow')).catch((error: unknown) => error);
      await process.says(/slow has begun/);
      process.signal(signal);
      await process.says(/slow was aborted/);
      expect(await answer).toMatchObject({ code: 'CLOSED' });
      expect(await process.exited).toEqual({ code: 0, signal: null });
    });

    test('a second signal is no failure where nothing runs', async () => {
      const { process, client } = await serve(method, 'app.mjs');
      await (await client.request(get('/'))).text();
      process.signal('SIGTERM');
      process.signal('SIGTERM');
      expect(await process.exited).toEqual({ code: 0, signal: null });
    });

    test('an error that nobody has caught ends the request that it happened for', async () => {
      const { process, client } = await serve(method, 'follows.mjs');
      const slow = client.request(get('/slow'));
      await process.says(/slow has begun/);
      const response = await client.request(get('/hangs'));
      expect(response.status).toBe(500);
      expect(response.stderr).toBe('GET /hangs: in a callback\n');
      await process.says(/in a callback.*"a request failed"/);
      finishSlow(process);
      expect(await (await slow).text()).toBe('slow is done'); // it has its time
      expect(process.stderr).not.toMatch(/outside of any request/);
    });

    test('a second signal exits at once', async () => {
      const { process, client } = await serve(method, 'app.mjs');
      const answer = client.request(get('/slow')).catch((error: unknown) => error);
      await process.says(/slow has begun/);
      process.signal('SIGTERM');
      await process.says(/stopping: SIGTERM/);
      process.signal('SIGTERM');
      expect(await process.exited).toEqual({ code: 1, signal: null });
      expect(await answer).toMatchObject({ code: 'CLOSED' });
    });

    if (method === 'single') {
      test('an error outside of any request is logged, what runs is finished, exit 1', async () => {
        const { process, client } = await serve(method, 'app.mjs');
        expect(await (await client.request(get('/later'))).text()).toBe('soon');
        await process.says(/outside of any request/);
        expect(await process.exited).toEqual({ code: 1, signal: null });
      });
    } else {
      test('an error outside of any request is logged, and the worker replaced', async () => {
        const { process, client } = await serve(method, 'app.mjs');
        const pid = await (await client.request(get('/pid'))).text();
        expect(await (await client.request(get('/later'))).text()).toBe('soon');
        await process.says(/outside of any request/);
        await process.says(new RegExp(`"worker":${pid},.*exit code 1`));
        expect(await (await client.request(get('/pid'))).text()).not.toBe(pid);
      });
    }
  });

  describe('what it logs', () => {
    test('JSON on stderr where that is no terminal; a failing request with its error', async () => {
      const { process, client } = await serve(method, 'app.mjs');
      const response = await client.request(get('/throw'));
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('it went wrong');
      expect(await response.ended).toEqual({ appStatus: 1, protocolStatus: 0 });
      expect(response.stderr).toBe('GET /throw: it went wrong\n');
      await process.says(/it went wrong/);
      const lines = process.stderr.trim().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('a request failed');
    });

    test('--log-level silent says nothing', async () => {
      sockets += 1;
      const path = join(folder.path, `${sockets}.sock`);
      const args = ['--listen', `unix:${path}`, '--log-level', 'silent'];
      const process = start('serve', join(folder.path, 'app.mjs'), '--method', method, ...args);
      await process.until(() => existsSync(path));
      await process.stop();
      expect(process.stderr).toBe('');
    });
  });
});

/** Let the answer of /slow come, in the process that is at it. */
function finishSlow({ stderr }: SpecProcess): void {
  const [, pid] = /slow has begun in (\d+)/.exec(stderr) ?? [];
  process.kill(Number(pid), 'SIGUSR2');
}

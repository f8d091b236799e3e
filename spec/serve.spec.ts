// serve(): one worker, from its start to its end.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Application, serve, type Logger, type ServeOptions, type Serving } from '../lib/index.ts';
import { got_request_exception, worker_started, worker_stopping } from '../lib/signals/index.ts';
import { RawClient } from './support/raw-client.ts';
import { request } from './support/raw-records.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const undo: (() => unknown)[] = [];
let count = 0;

afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one();
});

const socket = (): string => folder.join(`${(count += 1)}.sock`);

async function serving(application: Application, path: string, options: ServeOptions = {}): Promise<Serving> {
  const served = await serve(application, { listen: `unix:${path}`, ...options });
  undo.push(() => served.close({ timeout: 0 }));
  return served;
}

async function ask(path: string, target = '/'): Promise<string> {
  const client = await RawClient.connect(path);
  undo.push(() => client.destroy());
  await client.send(request({ params: { REQUEST_URI: target } }));
  return (await client.response()).body;
}

/** What is said of workers, and of anything else that a spec notes in it. */
function notes(): string[] {
  const said: string[] = [];
  for (const signal of [worker_started, worker_stopping]) {
    const hear = async ({ pid, sender }: { pid: number; sender: unknown }): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      said.push(`${signal.name} ${pid === process.pid} ${String(sender)}`);
    };
    signal.connect(hear);
    undo.push(() => signal.disconnect(hear));
  }
  return said;
}

const STARTED = 'worker_started true undefined';
const STOPPING = 'worker_stopping true undefined';

function logger(): { log: Logger; errors: unknown[] } {
  const errors: unknown[] = [];
  const nothing = (): void => {};
  const log = { debug: nothing, info: nothing, warn: nothing, error: (fields: object) => errors.push(fields) };
  return { log, errors };
}

test('awaits worker_started before it listens, and worker_stopping after the last request', async () => {
  const path = socket();
  const said = notes();
  const early: boolean[] = [];
  const hear = (): unknown => early.push(existsSync(path));
  worker_started.connect(hear);
  undo.push(() => worker_started.disconnect(hear));
  let release: (answer: string) => void = () => {};
  let called: () => void = () => {};
  const begun = new Promise<void>((resolve) => (called = resolve));
  const handler = (): Promise<string> => {
    called();
    return new Promise((resolve) => (release = resolve)).then(() => {
      said.push('handler');
      return 'ok';
    });
  };
  const served = await serving(new Application().get('/', handler), path);
  expect([early, said]).toEqual([[false], [STARTED]]);
  const answer = ask(path);
  await begun;
  const closed = served.close();
  expect(served.close()).toBe(closed);
  release('ok');
  expect(await answer).toBe('ok');
  await closed;
  expect(said).toEqual([STARTED, 'handler', STOPPING]);
  expect(existsSync(path)).toBe(false);
});

test('where it cannot listen says so, and lets go what worker_started has opened', async () => {
  const path = socket();
  await writeFile(path, 'no socket');
  const said = notes();
  const application = new Application();
  const { log } = logger();
  await expect(serve(application, { listen: `unix:${path}`, log })).rejects.toThrow(/exists and is not a socket/);
  expect(said).toEqual([STARTED, STOPPING]);
  expect(got_request_exception.hasListeners(application)).toBe(false);
});

test.each([
  ['a place that is none', { listen: 'somewhere' }, /--listen somewhere/],
  ['TCP for everybody', { listen: 'tcp:0.0.0.0:0' }, /FastCGI has no passwords/],
  ['a bound that is none', { listen: 'tcp:127.0.0.1:0', maxActiveRequests: 0 }, /maxActiveRequests/],
  ['a list of peers with a mistake', { listen: 'tcp:127.0.0.1:0', allow: ['127.0.0.1', 'x'] }, /"x" is not an IP/],
])('refuses %s', async (_what, options, message) => {
  await expect(serve(new Application(), options)).rejects.toThrow(message);
});

test('logs the exceptions of its own application, until it is closed', async () => {
  const boom = (name: string) => () => Promise.reject(new Error(name));
  const [one, other] = [new Application().get('/', boom('one')), new Application().get('/', boom('other'))];
  one.mount('/sub', new Application().get('/', boom('sub')));
  const { log, errors } = logger();
  const path = socket();
  const served = await serving(one, path, { log });
  const elsewhere = socket();
  await serving(other, elsewhere);
  await ask(path);
  await ask(path, '/sub');
  await ask(elsewhere);
  expect(errors).toEqual([{ err: new Error('one') }, { err: new Error('sub') }]);
  await served.close({ timeout: 0 });
  expect(got_request_exception.hasListeners(one)).toBe(false);
});

describe('FCGI_WEB_SERVER_ADDRS', () => {
  const listen = 'tcp:127.0.0.1:0';
  beforeEach(() => {
    const before = process.env['FCGI_WEB_SERVER_ADDRS'];
    undo.push(() => {
      if (before === undefined) delete process.env['FCGI_WEB_SERVER_ADDRS'];
      else process.env['FCGI_WEB_SERVER_ADDRS'] = before;
    });
  });

  async function answered(options: ServeOptions): Promise<boolean> {
    const served = await serve(
      new Application().get('/', () => 'ok'),
      options,
    );
    undo.push(() => served.close({ timeout: 0 }));
    const client = await RawClient.connect(Number(served.at.split(':').at(-1)));
    undo.push(() => client.destroy());
    await client.send(request());
    return client.response().then(
      () => true,
      () => false,
    );
  }

  test.each([
    ['127.0.0.1', true],
    ['10.0.0.1, 127.0.0.1', true],
    ['10.0.0.1', false],
  ])('%s', async (value, allowed) => {
    process.env['FCGI_WEB_SERVER_ADDRS'] = value;
    expect(await answered({ listen })).toBe(allowed);
  });

  test('with a mistake in it never means everybody', async () => {
    for (const value of ['', '127.0.0.1,', 'localhost']) {
      process.env['FCGI_WEB_SERVER_ADDRS'] = value;
      await expect(serve(new Application(), { listen })).rejects.toThrow(/is not an IP address/);
    }
  });

  test('gives way to the option', async () => {
    process.env['FCGI_WEB_SERVER_ADDRS'] = '10.0.0.1';
    expect(await answered({ listen, allow: ['127.0.0.1'] })).toBe(true);
  });
});

// Errors that nobody has caught, told to the application while it is known for which request they happened.

import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../lib/client/index.ts';
import { Application, HttpResponse, serve, signals, type AppHandler, type Serving } from '../../lib/index.ts';
import { followRequests } from '../../lib/signals/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const error = new Error('thrown in a callback');
let serving: Serving;
let client: Client;
let told: string[];
let known: boolean[];

const onException = ({ error: what }: { error: unknown }): void => void told.push((what as Error).message);
const onFinished = (): void => void told.push('finished');

beforeAll(() => followRequests());

beforeEach(() => {
  told = [];
  known = [];
  signals.got_request_exception.connect(onException);
  signals.request_finished.connect(onFinished);
});

afterEach(async () => {
  signals.got_request_exception.disconnect(onException);
  signals.request_finished.disconnect(onFinished);
  await client.close();
  await serving.close({ timeout: 0 });
});

/** Serve `handler`, and ask. */
async function ask(application: Application, handler: AppHandler): ReturnType<Client['request']> {
  application.fallback(handler);
  const path = folder.join(`${Math.random()}.sock`);
  serving = await serve(application, { listen: `unix:${path}` });
  client = new Client({ address: `unix:${path}`, keepConn: false });
  return client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/x' } });
}

/** Where Node would tell of an error of a timer's callback. */
const failLater = (): void => void setTimeout(() => known.push(serving.fail(error)), 1);

const finished = async (): Promise<void> => {
  while (!told.includes('finished')) await delay(1);
};

test('a request whose handler heeds nothing ends with a 500', async () => {
  const response = await ask(new Application(), () => {
    failLater();
    return new Promise(() => {});
  });
  expect(response.status).toBe(500);
  expect(await response.text()).toBe('500 Internal Server Error\n');
  expect(response.stderr).toBe('GET /x: thrown in a callback\n');
  await finished();
  expect({ known, told }).toEqual({ known: [true], told: ['thrown in a callback', 'finished'] });
});

test('where its handler heeds the signal, the layers around it make the answer', async () => {
  const application = new Application();
  application.use(async (request, next) => {
    const { error: seen } = await next(request);
    return HttpResponse.text(`sorry: ${(seen as Error).message}`, { status: 500 });
  });
  const response = await ask(application, (request) => {
    failLater();
    return new Promise((_resolve, reject) => request.onCancel((reason) => reject(reason as Error)));
  });
  expect(await response.text()).toBe('sorry: thrown in a callback');
  await finished();
  expect({ known, told }).toEqual({ known: [true], told: ['thrown in a callback', 'finished'] });
});

test('an answer that has begun is cut', async () => {
  async function* body(): AsyncGenerator<string> {
    yield 'begun';
    failLater();
    await new Promise(() => {});
  }
  const response = await ask(new Application(), () => new HttpResponse(body()));
  await expect(response.text()).rejects.toMatchObject({ code: 'TRUNCATED' });
  await finished();
  expect({ known, told }).toEqual({ known: [true], told: ['thrown in a callback', 'finished'] });
});

test('a request that has its answer is left alone, and nobody is told', async () => {
  const response = await ask(new Application(), () => {
    setTimeout(failLater, 20);
    return 'well';
  });
  expect(await response.text()).toBe('well');
  while (known.length === 0) await delay(1);
  expect({ known, told }).toEqual({ known: [false], told: ['finished'] });
});

test('outside of requests it is not known whose it is', async () => {
  const response = await ask(new Application(), () => 'well');
  await response.text();
  expect(serving.fail(error)).toBe(false);
});

// What others wrote, mounted in an Application: its signals, layers and database connections surround them.

import { createRequire } from 'node:module';
import connect from 'connect';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import { AutoRouter } from 'itty-router';
import Koa from 'koa';
import { adapt } from '../../lib/adapters/index.ts';
import { Application, HttpError, type HttpRequest } from '../../lib/app/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { got_request_exception, request_finished, request_started } from '../../lib/signals/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const APPLICATION = 'mounted';

beforeAll(() => {
  configureDatabases({ default: { url: postgres.url(), applicationName: APPLICATION } });
});
afterAll(() => connections.closeAll());

interface Seen {
  /** The backend that answered, asked twice by the same request. */
  backends: [number, number];
  url: string;
}

async function look(url: string): Promise<Seen> {
  const backend = async (): Promise<number> =>
    (await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number;
  return { backends: [await backend(), await backend()], url };
}

const boom = (): never => {
  throw new Error('an error on purpose');
};

function withExpress(): unknown {
  const app = express();
  app.get('/look', async (request, response) => void response.json(await look(request.url)));
  return app;
}

function withConnect(): unknown {
  const app = connect();
  app.use('/look', (request, response) => {
    void look((request.originalUrl ?? '').replace('/below', '')).then((seen) => response.end(JSON.stringify(seen)));
  });
  return app;
}

function withKoa(): unknown {
  const app = new Koa();
  app.use(async (context) => {
    context.body = await look(context.url);
  });
  return app;
}

function withFastify(): unknown {
  const app = fastify();
  app.get('/look', async (request) => look(request.url));
  return app;
}

const path = (url: string): string => new URL(url).pathname + new URL(url).search;

const KINDS: readonly (readonly [name: string, make: () => unknown])[] = [
  ['express', withExpress],
  ['connect', withConnect],
  ['koa', withKoa],
  ['fastify', withFastify],
  ['hono', () => new Hono().get('/look', async (context) => context.json(await look(path(context.req.url))))],
  ['itty-router', () => AutoRouter().get('/look', async ({ url }: { url: string }) => look(path(url)))],
  [
    'a listener',
    () => (_request: unknown, response: { end(text: string): void }) => {
      void look('/look?a=1').then((seen) => response.end(JSON.stringify(seen)));
    },
  ],
  ['a handler', () => async () => look('/look?a=1')],
];

describe.each(KINDS)('%s', (_name, make) => {
  const said: string[] = [];
  const app = new Application();
  app.use(async (request, next) => {
    if (request.query.has('forbidden')) throw new HttpError(403);
    const response = await next(request);
    response.headers.set('X-Layer', request.path);
    return response;
  });
  app.mount('/below', adapt(make()));
  beforeAll(() => {
    request_started.connect(() => said.push('started'), { sender: app });
    request_finished.connect(() => said.push('finished'), { sender: app });
  });
  beforeEach(() => void said.splice(0));

  test('has the signals, the layers and a connection of its request', async () => {
    const answer = await app.inject('/below/look?a=1');
    expect(answer.status).toBe(200);
    expect(said).toEqual(['started', 'finished']);
    expect(answer.header('X-Layer')).toBe('/below/look');
    const { backends, url } = answer.json() as Seen;
    expect(url).toBe('/look?a=1');
    expect(backends[0]).toBe(backends[1]);
    await postgres.until(
      'it is closed',
      async () => (await postgres.backends({ applicationName: APPLICATION })).length === 0,
    );
  });

  test('two requests at a time have two connections', async () => {
    const answers = await Promise.all(['/below/look?a=1', '/below/look?a=1'].map((target) => app.inject(target)));
    const [one, other] = answers.map((answer) => (answer.json() as Seen).backends[0]);
    expect(one).not.toBe(other);
    expect(said.toSorted()).toEqual(['finished', 'finished', 'started', 'started']);
  });

  test('a layer may keep a request from it', async () => {
    expect((await app.inject('/below/look?forbidden')).status).toBe(403);
    expect(said).toEqual(['started', 'finished']);
  });
});

describe('a body that a layer has read', () => {
  const streamed = async (body: AsyncIterable<Buffer>): Promise<string> =>
    (await body[Symbol.asyncIterator]().next()).value as string;
  const echo = fastify();
  echo.post('/echo', (request) => request.body);
  test.each<[string, () => unknown]>([
    ['express.json()', () => express().use(express.json(), (request, response) => void response.json(request.body))],
    ['a pipe', () => connect().use((request, response) => void request.pipe(response))],
    ['Koa', () => new Koa().use(async (context) => void (context.body = await streamed(context.req)))],
    ['Fastify', () => echo],
    ['Hono', () => new Hono().post('/echo', async (context) => context.json(await context.req.json()))],
    ['a Request', () => ({ fetch: async (request: Request) => Response.json(await new Request(request).json()) })],
    ['a handler', () => async (request: HttpRequest) => request.text()],
  ])('is there for %s', async (_name, make) => {
    const app = new Application();
    app.use(async (request, next) => {
      expect(await request.json()).toEqual({ sent: 'once' });
      return next(request);
    });
    app.mount('/below', adapt(make()));
    const headers = { 'Content-Type': 'application/json' };
    const answer = await app.inject({ method: 'POST', target: '/below/echo', headers, body: '{"sent":"once"}' });
    expect([answer.status, answer.text()]).toEqual([200, '{"sent":"once"}']);
  });
});

describe('where it is mounted is known to', () => {
  // It has no types of its own.
  const session = createRequire(__filename)('express-session') as (options: object) => express.RequestHandler;
  const inner = express();
  inner.use('/files', express.static(__dirname));
  inner.use(session({ secret: 'secret', resave: false, saveUninitialized: true, cookie: { path: '/below' } }));
  inner.get('/session', (request, response) => void response.json('session' in request));
  inner.use((request, response) => void response.json([request.url, request.baseUrl, request.originalUrl]));
  const byExpress = new Application().fallback(adapt(express().use('/below', inner)));
  const byPostfork = new Application().mount('/below', adapt(inner));

  test.each(['', '/', '/?a=1', '/session', '/files/node', '/files/node?a', '/a%20b?c=d'])(
    'Express, as by its own use: /below%s',
    async (target) => {
      const [expected, answer] = await Promise.all(
        [byExpress, byPostfork].map(async (app) => {
          const { status, headers, body } = await app.inject(`/below${target}`);
          const fields = headers.map(
            ([name, value]) => `${name}: ${value.replace(/^connect\.sid=[^;]+/, 'connect.sid')}`,
          );
          return { status, fields, body: body.toString() };
        }),
      );
      expect(answer).toEqual(expected);
      expect(expected?.fields.join('\n')).toMatch(
        target === '/session' ? /Set-Cookie: connect\.sid; Path=\/below/ : /./,
      );
    },
  );

  test('Fastify and connect', async () => {
    const app = fastify().get('/a', (request) => [request.url, request.originalUrl]);
    const layers = connect().use((request, response) => response.end(request.originalUrl));
    const outer = new Application().mount('/fastify', adapt(app)).mount('/connect', adapt(layers));
    expect((await outer.inject('/fastify/a?b')).json()).toEqual(['/a?b', '/fastify/a?b']);
    expect((await outer.inject('/connect/a?b')).text()).toBe('/connect/a?b');
  });
});

test.each(KINDS.filter(([name]) => name !== 'a handler'))('%s is not taken without adapt()', (_name, make) => {
  const app = new Application();
  expect(() => app.mount('/below', make() as never)).toThrow(/one is made by adapt\(\), from 'postfork\/node'$/);
});

test('an error of a listener is an error of the request', async () => {
  const app = new Application().mount(
    '/below',
    adapt((_request: unknown, _response: unknown) => boom()),
  );
  const errors: unknown[] = [];
  got_request_exception.connect(({ error }) => errors.push((error as Error).message), { sender: app });
  expect((await app.inject('/below')).status).toBe(500);
  expect(errors).toEqual(['an error on purpose']);
});

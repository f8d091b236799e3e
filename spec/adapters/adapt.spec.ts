// adapt(): whatever is exported, as a handler.

import { createServer } from 'node:http';
import connect from 'connect';
import express from 'express';
import { fastify } from 'fastify';
import Koa from 'koa';
import { adapt } from '../../lib/adapters/index.ts';
import { Application } from '../../lib/app/index.ts';
import { createServer as createNodeServer } from '../../lib/node-server.ts';

const answerTo = async (exported: unknown, target = '/some/path?q=1'): Promise<string> =>
  (await new Application().fallback(adapt(exported)).inject(target)).text();

const PATH = '/some/path?q=1';

test.each<[string, () => unknown]>([
  ['an Express application', () => express().use((request, response) => void response.send(request.url))],
  ['a connect application', () => connect().use((request, response) => void response.end(request.url))],
  [
    'a Koa application',
    () =>
      new Koa().use((context) => {
        context.body = context.url;
      }),
  ],
  ['a Fastify application', () => fastify().get('/*', async (request) => request.url)],
  ['an http.Server', () => createServer((request, response) => response.end(request.url))],
  ['a listener', () => (request: { url: string }, response: { end(text: string): void }) => response.end(request.url)],
  ['{ fetch }', () => ({ fetch: (request: Request) => new Response(pathOf(request)) })],
  [
    'a function with fetch',
    () => Object.assign(() => 'not this one', { fetch: (request: Request) => new Response(pathOf(request)) }),
  ],
  ['a handler', () => (request: { target: string }) => request.target],
  [
    'a class with fetch',
    () =>
      class {
        fetch(request: Request): Response {
          return new Response(pathOf(request));
        }
      },
  ],
  [
    'a router that is a Proxy with a function under every name',
    () =>
      new Proxy(
        { fetch: (request: Request) => new Response(pathOf(request)) },
        {
          get: (target, name) => (name in target ? target[name as 'fetch'] : () => 'a route'),
        },
      ),
  ],
])('%s', async (_kind, make) => {
  expect(await answerTo(make())).toBe(PATH);
});

test.each<[string, () => Promise<unknown>]>([
  ['Hono', async () => new (await import('hono')).Hono().get('/*', (context) => context.text(pathOf(context.req.raw)))],
])('%s', async (_kind, make) => {
  expect(await answerTo(await make())).toBe(PATH);
});

test('Fastify is made ready once, when it is first asked', async () => {
  const app = fastify();
  let loaded = 0;
  app.register(async (inner) => {
    loaded += 1;
    inner.get('/', async () => 'from a plugin');
  });
  const application = new Application().fallback(adapt(app));
  expect(loaded).toBe(0);
  const answers = await Promise.all([application.inject('/'), application.inject('/')]);
  expect(answers.map((answer) => answer.text())).toEqual(['from a plugin', 'from a plugin']);
  expect(loaded).toBe(1);
});

test('a Fastify application that does not get ready answers 500', async () => {
  const app = fastify();
  app.register(async () => {
    throw new Error('no database');
  });
  const answer = await new Application().fallback(adapt(app)).inject('/');
  expect(answer.status).toBe(500);
  expect(answer.stderr).toContain('no database');
});

test('below a mount an Express application sees the path from there', async () => {
  const app = new Application();
  app.mount('/legacy', adapt(express().get('/a', (request, response) => void response.send(request.url))));
  expect((await app.inject('/legacy/a?b=c')).text()).toBe('/a?b=c');
  expect((await app.inject('/a')).status).toBe(404);
});

test.each<[unknown, string]>([
  [undefined, 'undefined is no application'],
  [null, 'null is no application'],
  [7, 'a number is no application'],
  ['text', 'a string is no application'],
  [{}, 'an object with nothing in it is no application: it has neither fetch, nor routing, nor callback'],
  [{ get: 1, post: 2 }, 'an object with get, post is no application'],
  [class {}, 'an object with nothing in it is no application'],
])('%p is refused', (exported, message) => {
  expect(() => adapt(exported)).toThrow(TypeError);
  expect(() => adapt(exported)).toThrow(message);
});

test('a server of postfork/node answers by its application', async () => {
  const server = createNodeServer((request, response) => response.end(request.url));
  expect((await server.application.inject(PATH)).text()).toBe(PATH);
});

function pathOf(request: Request): string {
  const { pathname, search } = new URL(request.url);
  return pathname + search;
}

// Requests that end early, and who hears of it: the same under Postfork as under Node's http.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { finished, pipeline, PassThrough } from 'node:stream';
import { bothWays, type Case, reading, watched, type Sent, whole } from './both-ways.ts';

/** What Express, Koa and Fastify ask. It has no types of its own. */
const onFinished = createRequire(__filename)('on-finished') as {
  (message: IncomingMessage | ServerResponse, listener: (error: Error | null) => void): void;
  isFinished(message: IncomingMessage | ServerResponse): boolean;
};

const POST: Sent = { method: 'POST', body: 'a body' };

const CASES: readonly Case[] = [
  ['the client goes away before the head', watched((_req, _res, { hangUp }) => hangUp())],
  ['the client goes away before the head, with an unread body', watched((_req, _res, { hangUp }) => hangUp()), POST],
  ['the client goes away when the body was read', reading((_req, _res, { hangUp }) => hangUp()), POST],
  [
    'the client goes away behind the head',
    watched((_req, res, { hangUp }) => {
      res.write('a');
      setTimeout(hangUp, 20);
    }),
  ],
  [
    'write when the client has gone',
    watched((_req, res, { hangUp, log }) => {
      hangUp();
      res.once('close', () => {
        log(`${res.write('x')} ${res.destroyed} ${res.writable} ${res.headersSent}`);
        res.end('y');
      });
    }),
  ],
  ['req.destroy() before the head', watched((req) => req.destroy())],
  ['req.destroy(error) before the head', watched((req) => req.destroy(new Error('why')))],
  [
    'req.destroy() while a body comes',
    watched((req) => {
      req.once('data', () => req.destroy());
    }),
    POST,
  ],
  ['res.destroy() before the head', watched((_req, res) => res.destroy())],
  ['res.destroy(error) before the head', watched((_req, res) => res.destroy(new Error('why')))],
  ['socket.destroy() before the head', watched((req) => req.socket.destroy())],
  [
    'res.destroy() behind the head',
    watched((_req, res) => {
      res.write('a');
      setTimeout(() => res.destroy(), 20);
    }),
  ],
  [
    'req.destroy() behind the head',
    watched((req, res) => {
      res.write('a');
      setTimeout(() => req.destroy(), 20);
    }),
  ],
  [
    'socket.destroy() behind the head',
    watched((_req, res) => {
      res.write('a');
      setTimeout(() => res.socket?.destroy(), 20);
    }),
  ],
  [
    'socket.end() behind the head',
    watched((_req, res) => {
      res.writeHead(200, { 'Content-Length': '10' });
      res.write('a');
      setTimeout(() => res.socket?.end(), 20);
    }),
  ],
  [
    'a pipeline whose source fails',
    watched((_req, res, { log }) => {
      const source = new PassThrough();
      pipeline(source, res, (error) => log(`pipeline ${error?.message}`));
      source.write('a');
      setTimeout(() => source.destroy(new Error('source')), 20);
    }),
  ],
  [
    'a pipeline when the client goes away',
    watched((_req, res, { log, hangUp }) => {
      const source = new PassThrough();
      pipeline(source, res, (error) => log(`pipeline ${error?.code}`));
      source.write('a');
      setTimeout(hangUp, 20);
    }),
  ],
  [
    'stream.finished of both',
    watched((req, res, { log }) => {
      finished(req, (error) => log(`finished req ${error?.code}`));
      finished(res, (error) => log(`finished res ${error?.code}`));
      res.end('x');
    }),
    POST,
  ],
  [
    'stream.finished of both, the body read',
    reading((req, res, { log }) => {
      finished(req, (error) => log(`finished req ${error?.code}`));
      finished(res, (error) => log(`finished res ${error?.code}`));
      res.end('x');
    }),
    POST,
  ],
  [
    'stream.finished of both, the client going away',
    watched((req, res, { log, hangUp }) => {
      finished(req, (error) => log(`finished req ${error?.code}`));
      finished(res, (error) => log(`finished res ${error?.code}`));
      hangUp();
    }),
  ],
  [
    'on-finished of both',
    watched((req, res, { log }) => {
      onFinished(req, (error) => log(`req is finished ${error?.message}`));
      onFinished(res, (error) => log(`res is finished ${error?.message}`));
      res.end('x');
    }),
    POST,
  ],
  [
    'on-finished of both, the client going away',
    watched((req, res, { log, hangUp }) => {
      onFinished(req, (error) => log(`req is finished ${error?.message}`));
      onFinished(res, (error) => log(`res is finished ${error?.message}`));
      hangUp();
    }),
  ],
  [
    'on-finished.isFinished',
    watched((req, res, { log }) => {
      log(`${onFinished.isFinished(res)}`);
      res.end('x');
      log(`${onFinished.isFinished(res)}`);
      res.on('close', () => log(`${onFinished.isFinished(req)} ${onFinished.isFinished(res)}`));
    }),
    POST,
  ],
  [
    'res.setTimeout, heard',
    watched((_req, res, { log }) => {
      res.setTimeout(10, () => {
        log('timeout');
        res.end('late');
      });
    }),
  ],
  [
    'res.setTimeout, not heard',
    watched((_req, res) => {
      res.setTimeout(10);
    }),
  ],
  [
    'req.setTimeout, heard',
    watched((req, res, { log }) => {
      req.resume();
      req.on('end', () => res.setTimeout(10));
      req.setTimeout(1000, () => log('timeout'));
    }),
    POST,
  ],
  [
    'socket.setTimeout, heard',
    watched((req, res, { log }) => {
      req.socket.setTimeout(10, () => {
        log('timeout');
      });
      res.on('timeout', () => res.end('x'));
    }),
  ],
];

test.each(CASES.map(whole))('%s', async (_title, listener, sent) => {
  const { http, postfork } = await bothWays(listener, sent);
  expect(postfork).toEqual(http);
});

// Bodies of requests and answers: the same events in the same order under Postfork as under Node's http.

import { Readable, pipeline, PassThrough } from 'node:stream';
import { bothWays, type Case, reading, watched, type Sent, whole } from './both-ways.ts';

const POST: Sent = { method: 'POST', body: 'a body' };
const LARGE = 300_000;

const CASES: readonly Case[] = [
  ['an answer in one go', watched((_req, res) => res.end('hello'))],
  ['an answer without a body', watched((_req, res) => res.end())],
  ['an answer in pieces, at once', watched((_req, res) => { res.write('a'); res.write('b'); res.end('c'); })], // prettier-ignore
  [
    'an answer in pieces, later',
    watched((_req, res) => {
      res.write('a');
      setImmediate(() => {
        res.write('b');
        setImmediate(() => res.end('c'));
      });
    }),
  ],
  [
    'an answer later',
    watched((_req, res) => {
      setTimeout(() => res.end('late'), 5);
    }),
  ],
  ['a body that is read', reading((_req, res) => res.end('read')), POST],
  ['a body that is not read', watched((_req, res) => res.end('unread')), POST],
  ['a body that is read, none being there', reading((_req, res) => res.end('read'))],
  [
    'resume() without a listener',
    watched((req, res) => {
      req.resume();
      req.on('end', () => res.end('x'));
    }),
    POST,
  ],
  [
    'async iteration',
    watched(async (req, res) => {
      let n = 0;
      for await (const piece of req) n += (piece as Buffer).length;
      res.end(String(n));
    }),
    { method: 'POST', body: 'x'.repeat(LARGE) },
  ],
  [
    'readable events',
    watched((req, res) => {
      let n = 0;
      req.on('readable', () => {
        for (let p = req.read() as Buffer | null; p !== null; p = req.read() as Buffer | null) n += p.length;
      });
      req.on('end', () => res.end(String(n)));
    }),
    { method: 'POST', body: 'x'.repeat(LARGE) },
  ],
  [
    'setEncoding',
    watched((req, res) => {
      let text = '';
      req.setEncoding('utf8').on('data', (t: string) => (text += t));
      req.on('end', () => res.end(text));
    }),
    { method: 'POST', body: 'äöü€' },
  ],
  [
    'the body piped back',
    watched((req, res) => {
      req.pipe(res);
    }),
    { method: 'POST', body: 'x'.repeat(LARGE) },
  ],
  [
    'a pipeline from the body to the answer',
    watched((req, res, { log }) => pipeline(req, res, (error) => log(`pipeline ${error?.code ?? 'done'}`))),
    { method: 'POST', body: 'x'.repeat(LARGE) },
  ],
  [
    'a pipeline through a transform',
    watched((req, res, { log }) =>
      pipeline(req, new PassThrough(), res, (error) => log(`pipeline ${error?.code ?? 'done'}`)),
    ),
    { method: 'POST', body: 'x'.repeat(1000) },
  ],
  [
    'a stream piped to the answer',
    watched((_req, res) => {
      Readable.from(['a', 'b', 'c']).pipe(res);
    }),
  ],
  [
    'an early answer, the body read on',
    watched((req, res, { log }) => {
      let n = 0;
      req.on('data', (p: Buffer) => (n += p.length));
      req.on('end', () => log(`got ${n}`));
      res.end('accepted');
    }),
    POST,
  ],
];

test.each(CASES.map(whole))('%s', async (_title, listener, sent) => {
  const { http, postfork } = await bothWays(listener, sent);
  expect(postfork).toEqual(http);
});

// Writing and ending an answer: the same under Postfork as under Node's http.

import { Readable } from 'node:stream';
import { bothWays, type Case, watched, whole } from './both-ways.ts';

const LARGE = 300_000;

const CASES: readonly Case[] = [
  [
    'res.end(callback)',
    watched((_req, res, { log }) => {
      res.end(() => log('ended'));
    }),
  ],
  [
    'res.end(text, callback), res.write(text, callback)',
    watched((_req, res, { log }) => {
      res.write('a', () => log('written'));
      res.end('b', () => log('ended'));
    }),
  ],
  [
    'double end',
    watched((_req, res, { log }) => {
      res.end('a');
      res.end();
      setImmediate(() => res.end((error?: NodeJS.ErrnoException) => log(`again ${error?.code}`)));
    }),
  ],
  [
    'a double end with text',
    watched((_req, res, { log }) => {
      res.end('a');
      res.end('b', (error?: NodeJS.ErrnoException) => log(`again ${error?.code}`));
    }),
  ],
  [
    'write after end',
    watched((_req, res, { log }) => {
      res.end('a');
      res.write('b', (error) => log(`write ${(error as NodeJS.ErrnoException).code}`));
    }),
  ],
  [
    'cork and uncork',
    watched((_req, res) => {
      res.cork();
      res.write('a');
      res.write('b');
      process.nextTick(() => {
        res.uncork();
        res.end('c');
      });
    }),
  ],
  [
    'writes of bytes',
    watched((_req, res) => {
      res.write(Buffer.from([0, 255, 128]));
      res.end(new Uint8Array([1, 2]));
    }),
  ],
  [
    'writes in other encodings',
    watched((_req, res) => {
      res.write('ff00', 'hex');
      res.write('w6Q=', 'base64');
      res.write('ä', 'latin1');
      res.end('ä€', 'utf16le');
    }),
  ],
  [
    'backpressure',
    watched((_req, res, { log }) => {
      const free = res.write('a'.repeat(LARGE));
      log(`${free} ${res.writableLength > 0} ${res.writableNeedDrain}`);
      res.once('drain', () => {
        log(`${res.writableLength} ${res.writableNeedDrain}`);
        res.end('b');
      });
    }),
  ],
  [
    'backpressure twice, then a pipe',
    watched((_req, res, { log }) => {
      res.write('a'.repeat(LARGE));
      res.once('drain', () => {
        res.write('b'.repeat(LARGE));
        res.once('drain', () => {
          log(`need ${res.writableNeedDrain}`);
          Readable.from(['c', 'd']).pipe(res);
        });
      });
    }),
  ],
  [
    'much written and ended at once',
    watched((_req, res) => {
      for (let i = 0; i < 20; i++) res.write('x'.repeat(20_000));
      res.end('!');
    }),
  ],
  [
    'properties while it runs',
    watched((req, res, { log }) => {
      log(
        [
          res.headersSent,
          res.writableEnded,
          res.writableFinished,
          res.finished,
          res.destroyed,
          res.closed,
          res.writable,
          res.sendDate === undefined,
          res.statusCode,
          res.writableHighWaterMark > 0,
          res.writableObjectMode,
          res.writableCorked,
        ].join(),
      );
      log(
        [
          req.httpVersion,
          req.httpVersionMajor,
          req.httpVersionMinor,
          req.method,
          req.url,
          req.readable,
          req.destroyed,
          req.aborted,
          JSON.stringify(req.trailers),
          req.statusCode,
          req.rawTrailers.length,
        ].join(),
      );
      log(
        [
          typeof req.socket,
          req.socket === req.connection,
          res.socket === req.socket,
          res.connection === res.socket,
          res.req === req,
          req.socket.remoteFamily,
          req.socket.remoteAddress,
          (req.socket as { encrypted?: boolean }).encrypted ?? false,
          req.socket.readable,
          req.socket.writable,
          req.socket.destroyed,
          req.socket.readyState,
          req.socket.connecting,
        ].join(),
      );
      res.write('a');
      log([res.headersSent, res.writableEnded, res.writable].join());
      res.end();
      log([res.headersSent, res.writableEnded, res.writableFinished, res.writable, res.finished].join());
      res.on('finish', () => log([res.writableFinished, res.socket === null, res.destroyed].join()));
      res.on('close', () => log([res.destroyed, res.closed, res.writable, req.complete, req.aborted].join()));
    }),
  ],
];

test.each(CASES.map(whole))('%s', async (_title, listener, sent) => {
  const { http, postfork } = await bothWays(listener, sent);
  expect(postfork).toEqual(http);
});

// Heads of answers, however a listener sets them: the same to the client under Postfork as under Node's http.

import { bothWays, type Case, watched, whole } from './both-ways.ts';

const CASES: readonly Case[] = [
  ['HEAD', watched((_req, res) => res.end('hello')), { method: 'HEAD' }],
  [
    'HEAD with a length',
    watched((_req, res) => {
      res.setHeader('Content-Length', 5);
      res.end('hello');
    }),
    { method: 'HEAD' },
  ],
  [
    'HEAD in pieces',
    watched((_req, res) => {
      res.write('a');
      setImmediate(() => res.end('b'));
    }),
    { method: 'HEAD' },
  ],
  [
    '204',
    watched((_req, res) => {
      res.statusCode = 204;
      res.end();
    }),
  ],
  [
    '204 with a body',
    watched((_req, res) => {
      res.statusCode = 204;
      res.end('none');
    }),
  ],
  [
    '304',
    watched((_req, res) => {
      res.writeHead(304, { ETag: '"1"' });
      res.end();
    }),
  ],
  [
    '205',
    watched((_req, res) => {
      res.writeHead(205);
      res.end();
    }),
  ],
  [
    'writeHead with an object',
    watched((_req, res) => {
      res.setHeader('X-A', 'before');
      res.writeHead(201, { 'X-A': 'a', 'X-B': ['b', 'c'], 'Content-Type': 'text/x' });
      res.end('x');
    }),
  ],
  [
    'writeHead with a flat array',
    watched((_req, res) => {
      res.writeHead(201, ['X-A', 'a', 'X-A', 'b', 'Content-Length', '1']);
      res.end('x');
    }),
  ],
  [
    'writeHead with a flat array over setHeader',
    watched((_req, res) => {
      res.setHeader('X-0', '0');
      res.writeHead(201, ['X-A', 'a', 'X-A', 'b']);
      res.end('x');
    }),
  ],
  [
    'writeHead with pairs',
    watched((_req, res) => {
      res.writeHead(201, [
        ['X-A', 'a'],
        ['X-B', 'b'],
      ] as never);
      res.end('x');
    }),
  ],
  [
    'writeHead with a message',
    watched((_req, res) => {
      res.writeHead(200, 'Fine', { 'X-A': 'a' });
      res.end('x');
    }),
  ],
  [
    'statusMessage',
    watched((_req, res) => {
      res.statusCode = 418;
      res.statusMessage = 'Short and stout';
      res.end('x');
    }),
  ],
  [
    'a status that nobody knows',
    watched((_req, res) => {
      res.statusCode = 599;
      res.end('x');
    }),
  ],
  [
    'appendHeader, several cookies',
    watched((_req, res) => {
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      res.appendHeader('Set-Cookie', 'c=3');
      res.appendHeader('X-A', '1');
      res.appendHeader('X-A', '2');
      res.end();
    }),
  ],
  [
    'setHeaders',
    watched((_req, res) => {
      res.setHeaders(
        new Map([
          ['x-a', '1'],
          ['x-b', '2'],
        ]),
      );
      res.end();
    }),
  ],
  [
    'flushHeaders',
    watched((_req, res) => {
      res.setHeader('X-A', 'a');
      res.flushHeaders();
      setImmediate(() => res.end('later'));
    }),
  ],
  [
    'flushHeaders, nothing behind',
    watched((_req, res) => {
      res.flushHeaders();
      setImmediate(() => res.end());
    }),
  ],
  [
    'interim answers',
    watched((_req, res) => {
      res.writeContinue();
      res.writeProcessing();
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.end('x');
    }),
  ],
  [
    'trailers',
    watched((_req, res) => {
      res.write('a');
      res.addTrailers({ 'X-T': '1' });
      setImmediate(() => res.end('b'));
    }),
  ],
  [
    'trailers, announced',
    watched((_req, res) => {
      res.setHeader('Trailer', 'X-T');
      res.write('a');
      res.addTrailers({ 'X-T': '1' });
      setImmediate(() => res.end('b'));
    }),
  ],
  [
    'trailers, announced, in one go',
    watched((_req, res) => {
      res.writeHead(200, { Trailer: 'X-T' });
      res.addTrailers({ 'X-T': '1' });
      res.end('b');
    }),
  ],
  [
    'Transfer-Encoding: chunked by the listener',
    watched((_req, res) => {
      res.setHeader('Transfer-Encoding', 'chunked');
      res.write('a');
      setImmediate(() => {
        res.write('b'.repeat(20));
        res.end('c');
      });
    }),
  ],
  [
    'Transfer-Encoding: chunked, in one go',
    watched((_req, res) => {
      res.writeHead(200, { 'transfer-encoding': 'chunked' });
      res.end('whole');
    }),
  ],
  [
    'Connection: close by the listener',
    watched((_req, res) => {
      res.setHeader('Connection', 'close');
      res.end('x');
    }),
  ],
  [
    'Content-Length by the listener, in pieces',
    watched((_req, res) => {
      res.setHeader('Content-Length', 3);
      res.write('a');
      setImmediate(() => res.end('bc'));
    }),
  ],
  [
    'Content-Length removed',
    watched((_req, res) => {
      res.removeHeader('Content-Length');
      res.end('abc');
    }),
  ],
  [
    'latin1 in one go',
    watched((_req, res) => {
      res.setHeader('X-L', 'ä');
      res.end('ä', 'latin1');
    }),
  ],
  [
    'utf8 text behind a latin1 header',
    watched((_req, res) => {
      res.setHeader('X-L', 'ä');
      res.end('ä€');
    }),
  ],
  [
    'values with blanks, tabs and no-break spaces around them',
    watched((_req, res) => {
      res.setHeader('X-Blanks', ' \t a b \t ');
      res.setHeader('X-Nothing', ' \t ');
      res.setHeader('X-No-Break', '\xa0a\xa0');
      res.setHeader('X-Grave', 'à'); // in UTF-8, as text in one go has it, it ends with a byte A0
      res.end('à');
    }),
  ],
  [
    'bytes behind a latin1 header',
    watched((_req, res) => {
      res.setHeader('X-L', 'ä');
      res.end(Buffer.from('ä€'));
    }),
  ],
  [
    'pieces behind a latin1 header',
    watched((_req, res) => {
      res.setHeader('X-L', 'ä');
      res.write('ä');
      setImmediate(() => res.end('€'));
    }),
  ],
  [
    'setHeader after the head',
    watched((_req, res, { log }) => {
      res.write('a');
      try {
        res.setHeader('X', 'y');
      } catch (error) {
        log((error as NodeJS.ErrnoException).code ?? '');
      }
      res.end();
    }),
  ],
  [
    'what cannot be a header',
    watched((_req, res, { log }) => {
      for (const set of [
        () => res.setHeader('a b', 'c'),
        () => res.setHeader('a', 'b\nc'),
        () => res.setHeader('a', '€'),
        () => res.writeHead(99),
      ]) {
        try {
          set();
        } catch (error) {
          log((error as NodeJS.ErrnoException).code ?? '');
        }
      }
      res.end();
    }),
  ],
  [
    'header objects',
    watched((req, res, { log }) => {
      log(
        JSON.stringify([
          req.headers.cookie,
          req.headers['x-a'],
          req.headers['content-type'],
          req.headers.host,
          req.headersDistinct['x-a'],
        ]),
      );
      res.setHeader('X-Abc', 'a');
      log(JSON.stringify([res.getHeader('x-abc'), res.getHeaderNames(), res.getHeaders(), res.hasHeader('X-ABC')]));
      res.removeHeader('x-abc');
      res.end();
    }),
    { headers: { Cookie: 'a=1; b=2', 'X-A': 'ä'.normalize(), 'Content-Type': 'text/x' } },
  ],
];

test.each(CASES.map(whole))('%s', async (_title, listener, sent) => {
  const { http, postfork } = await bothWays(listener, sent);
  expect(postfork).toEqual(http);
});

// Fastify's own tests, as its package ships them, with its requests coming by FastCGI from behind a gateway.

import { dirname, join } from 'node:path';
import { temporaryFolder } from '../../support/temporary.ts';
import { type Outcome, readTap, runPublished } from './published-tests.ts';

const TESTS = join(dirname(require.resolve('fastify/package.json')), 'test');
const AT_ONCE = 2; // processes

const CLIENT_ERROR = "'clientError' and its answer are the web server's";
const PARSER = "the limits of what a request's head may be are the web server's";
const NO_CONNECTION =
  'nothing can close the connection of the client: an answer that is given up before its head is a 500';
const NO_TRAILERS = 'FastCGI has no place for trailers';

/** The files, and what of them cannot be under FastCGI, with the reason. */
const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'als.test.js': {},
  'async-await.test.js': {},
  'async_hooks.test.js': {},
  'body-limit.test.js': {},
  'custom-http-server.test.js': {},
  'custom-parser-async.test.js': {},
  'delete.test.js': {},
  'diagnostics-channel/404.test.js': {},
  'diagnostics-channel/async-error-handler.test.js': {},
  'diagnostics-channel/sync-request-reply.test.js': {},
  'handler-timeout.test.js': {},
  'header-overflow.test.js': {
    'Should return 431 if request header fields are too large': PARSER,
    'Should return 431 if URI is too long': PARSER,
  },
  'hooks-async.test.js': {},
  'http-methods/custom-http-methods.test.js': {},
  'http-methods/head.test.js': {},
  'http-methods/propfind.test.js': {},
  'http-methods/search.test.js': {},
  'internals/handle-request.test.js': {},
  'internals/reply.test.js': {},
  'listen.4.test.js': {},
  'logger/request.test.js': {},
  'max-requests-per-socket.test.js': {
    maxRequestsPerSocket: "how many requests a connection of a client may have is the web server's",
  },
  'nullable-validation.test.js': {},
  'output-validation.test.js': {},
  'promises.test.js': {},
  'proto-poisoning.test.js': {},
  'register.test.js': {},
  'reply-early-hints.test.js': { 'sends early hints': 'FastCGI has no interim answers' },
  'reply-error.test.js': {
    'Should reply 400 on client error': CLIENT_ERROR,
    'Should set the response from client error handler': CLIENT_ERROR,
    'fallback error handler aborts the response when headers were already sent': NO_CONNECTION,
    'fallback error handler aborts the response when writeHead throws ERR_HTTP_HEADERS_SENT': NO_CONNECTION,
  },
  'reply-trailers.test.js': {
    'trailers over a real socket > send trailers when payload is a Readable stream': NO_TRAILERS,
    'trailers over a real socket > send trailers when payload is a web ReadableStream': NO_TRAILERS,
    'trailers over a real socket > send trailers when payload is a pre-ended Readable stream': NO_TRAILERS,
  },
  'request-error.test.js': {
    'non-numeric content-length is rejected before Fastify body parsing': CLIENT_ERROR,
    'customErrorHandler should not call handler for in-stream error': NO_CONNECTION,
  },
  'request-id.test.js': {},
  'route-hooks.test.js': { 'onTimeout on route': NO_CONNECTION },
  'route.1.test.js': {},
  'router-compile.test.js': {},
  'stream.1.test.js': {},
  'stream.3.test.js': {},
  'trust-proxy.test.js': {},
  'url-rewriting.test.js': { 'Should throw an error': NO_CONNECTION },
  'versioned-routes.test.js': {},
};

const folder = temporaryFolder();
const outcomes = new Map<string, Promise<Outcome>>();

beforeAll(() => {
  const lanes = Array.from({ length: AT_ONCE }, () => Promise.resolve<unknown>(undefined));
  for (const [at, file] of Object.keys(FILES).entries()) {
    const lane = at % AT_ONCE;
    const outcome = (lanes[lane] as Promise<unknown>).then(() =>
      runPublished(join(TESTS, file), folder.join(`served-${at}`)),
    );
    outcomes.set(file, outcome);
    lanes[lane] = outcome.catch(() => {});
  }
});

afterAll(() => Promise.allSettled(outcomes.values()), 120_000); // those of tests that were left out, too

describe('over FastCGI pass, but for what cannot be there, the tests of', () => {
  test.each(Object.entries(FILES))(
    '%s',
    async (file, impossible) => {
      const { passed, failed, served, output } = (await outcomes.get(file)) as Outcome;
      const expected = Object.keys(impossible).toSorted();
      const asExpected = failed.toSorted().join('\n') === expected.join('\n');
      expect({ failed: failed.toSorted(), output: asExpected ? '' : output }).toEqual({ failed: expected, output: '' });
      expect(passed.length + failed.length).toBeGreaterThan(0);
      expect(served).toBeGreaterThan(0);
    },
    60_000,
  );
});

test('what node:test says is read', () => {
  const text = [
    'TAP version 13',
    '# Subtest: suite',
    '    # Subtest: good',
    '    ok 1 - good',
    '      ---',
    '      duration_ms: 1',
    '      ...',
    '    # Subtest: bad',
    '    not ok 2 - bad',
    '    1..2',
    'not ok 1 - suite',
    '# Subtest: twice',
    'ok 2 - twice',
    '# Subtest: twice',
    'not ok 3 - twice',
    'ok 4 - skipped # SKIP',
    '1..4',
  ].join('\n');
  expect(readTap(text)).toEqual({ passed: ['suite > good', 'twice'], failed: ['suite > bad', 'twice (2)'] });
});

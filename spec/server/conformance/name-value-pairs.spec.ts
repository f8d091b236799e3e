// WIRE 15 to 19: name-value pairs as PARAMS carry them (FastCGI 1.0, 3.4; appendix B.2).

import fc from 'fast-check';
import type { Handler } from '../../../lib/server/index.ts';
import { begin, pairs, PARAMS, record, request, STDIN, stream } from '../../support/raw-records.ts';
import { HEAD, servers } from '../../support/servers.ts';

const { start } = servers();
const keep = true;

/** Answers its PARAMS as JSON. */
const listing: Handler = ({ params }, response) => {
  const text = JSON.stringify([...params]);
  response.send(HEAD, Buffer.from(text).toString('latin1'));
};

const withParams = (bytes: Buffer): Buffer =>
  Buffer.concat([begin(1, { keep }), stream(PARAMS, 1, bytes), stream(STDIN, 1, '')]);

const parsed = (body: string): [string, string][] =>
  JSON.parse(Buffer.from(body, 'latin1').toString()) as [string, string][];

const long = (n: number): Buffer => Buffer.from([0x80 | (n >>> 24), (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
const text = (n: number, char: string): Buffer => Buffer.alloc(n, char);

describe('15 (3.4) lengths in one byte and in four', () => {
  const forms: [string, Buffer, number, number][] = [
    ['11', Buffer.concat([Buffer.from([3, 2]), text(3, 'n'), text(2, 'v')]), 3, 2],
    ['14', Buffer.concat([Buffer.from([3]), long(300), text(3, 'n'), text(300, 'v')]), 3, 300],
    ['41', Buffer.concat([long(200), Buffer.from([2]), text(200, 'n'), text(2, 'v')]), 200, 2],
    ['44', Buffer.concat([long(200), long(300), text(200, 'n'), text(300, 'v')]), 200, 300],
    ['44 with short lengths', Buffer.concat([long(3), long(127), text(3, 'n'), text(127, 'v')]), 3, 127],
    ['127 and 127', pairs([['n'.repeat(127), 'v'.repeat(127)]]), 127, 127],
    ['128 and 128', pairs([['n'.repeat(128), 'v'.repeat(128)]]), 128, 128],
    ['65,535 and 65,536', pairs([['n'.repeat(65_535), 'v'.repeat(65_536)]]), 65_535, 65_536],
  ];

  test.each(forms)('%s', async (_form, bytes, nameLength, valueLength) => {
    const client = await (await start({ responder: listing })).connect();
    await client.send(withParams(bytes));
    expect(parsed((await client.response()).body)).toEqual([['n'.repeat(nameLength), 'v'.repeat(valueLength)]]);
  });
});

describe('16 (3.4) what names and values may be', () => {
  test('empty names, empty values, both; twice the same; any byte, NUL too', async () => {
    const all: [string, string][] = [
      ['', 'value'],
      ['NAME', ''],
      ['', ''],
      ['SAME', '1'],
      ['SAME', '2'],
      ['__proto__', 'p'],
      ['BYTES', String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))],
    ];
    const client = await (await start({ responder: listing })).connect();
    await client.send(withParams(pairs(all)));
    expect(parsed((await client.response()).body)).toEqual(all);
  });

  test('of two of the same name the last is what is given; a separator gives them all', async () => {
    const responder: Handler = ({ params }, response) =>
      response.send(HEAD, [params.get('X'), params.get('X', ', '), params.get('__proto__') ?? 'none'].join('|'));
    const client = await (await start({ responder })).connect();
    await client.send(
      withParams(
        pairs([
          ['X', 'a'],
          ['Y', 'b'],
          ['X', 'c'],
        ]),
      ),
    );
    expect((await client.response()).body).toBe('c|a, c|none');
  });

  test('the next request on the connection sees nothing of it', async () => {
    const client = await (await start({ responder: listing })).connect();
    await client.send(withParams(pairs({ HTTP_COOKIE: 'secret', REMOTE_USER: 'root' })));
    await client.response();
    await client.send(withParams(pairs({ REQUEST_METHOD: 'GET' })));
    expect(parsed((await client.response()).body)).toEqual([['REQUEST_METHOD', 'GET']]);
  });
});

describe('17 (3.3, appendix B.2) a pair cut between records', () => {
  const all: [string, string][] = [
    ['REQUEST_METHOD', 'GET'],
    ['', ''],
    ['N'.repeat(130), 'v'],
    ['LONG', 'v'.repeat(200)],
    ['LAST', ''],
  ];
  const bytes = pairs(all);

  test('into two records at every byte', async () => {
    const client = await (await start({ responder: listing })).connect();
    for (let at = 0; at <= bytes.length; at++) {
      const parts = [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0);
      await client.send(
        Buffer.concat([begin(1, { keep }), ...parts.map((part) => record(PARAMS, 1, part, at % 8)), record(PARAMS, 1)]),
      );
      expect(parsed((await client.response()).body)).toEqual(all);
    }
  });

  test('into any records, in any chunks', async () => {
    const client = await (await start({ responder: listing })).connect();
    const name = fc.string({ maxLength: 300, unit: 'binary-ascii' });
    const list = fc.array(fc.tuple(name, name), { maxLength: 12 });
    const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(list, sizes, sizes, async (given, recordSizes, chunkSizes) => {
        const stdin = stream(STDIN, 1, '');
        const records = cut(pairs(given), recordSizes).map((part) => record(PARAMS, 1, part));
        const input = Buffer.concat([begin(1, { keep }), ...records, record(PARAMS, 1), stdin]);
        for (const chunk of cut(input, chunkSizes)) {
          await client.send(chunk);
          await new Promise(setImmediate);
        }
        expect(parsed((await client.response()).body)).toEqual(given);
      }),
      { numRuns: 60 },
    );
  });
});

/** Pieces of these sizes, over and over. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

describe('18 (3.4) a length beyond the end of the stream', () => {
  test('every truncation of PARAMS inside a pair is answered with 400, and the connection goes on', async () => {
    const bytes = pairs({ REQUEST_METHOD: 'GET', X: 'v'.repeat(140) });
    const boundaries = [0, pairs({ REQUEST_METHOD: 'GET' }).length, bytes.length];
    const client = await (await start({ responder: listing })).connect();
    for (let at = 0; at <= bytes.length; at++) {
      await client.send(withParams(bytes.subarray(0, at)));
      const { status, protocolStatus } = await client.response();
      expect([at, status, protocolStatus]).toEqual([at, boundaries.includes(at) ? 200 : 400, 0]);
    }
  });

  test.each([
    [0x7fffffff, 0],
    [0, 0x7fffffff],
    [0x7fffffff, 0x7fffffff],
  ])('name of %i bytes, value of %i: refused, nothing allocated', async (nameLength, valueLength) => {
    const client = await (await start({ responder: listing })).connect();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) {
      await client.send(withParams(Buffer.concat([long(nameLength), long(valueLength), Buffer.from('N')])));
      expect((await client.response()).status).toBe(431);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(200);
  });
});

describe('19 bounds on PARAMS', () => {
  test('maxParamsBytes: a complete 431, the rest skipped, the connection goes on', async () => {
    const client = await (await start({ responder: listing, maxParamsBytes: 500 })).connect();
    await client.send(request({ keep, params: { X: 'x'.repeat(200_000) }, stdin: 'body' }));
    const response = await client.response();
    expect(response).toMatchObject({ status: 431, appStatus: 0, protocolStatus: 0 });
    expect(response.stdout).toMatch(/^Status: 431 [^\r]+\r\nContent-Type: [^\r]+\r\nContent-Length: \d+\r\n\r\n/);
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(200);
  });

  test('maxParams: as many pairs are read, one more is a 431', async () => {
    const client = await (await start({ responder: listing, maxParams: 10 })).connect();
    const of = (n: number): Buffer => pairs(Array.from({ length: n }, (_, i) => [`N${i}`, '']));
    await client.send(withParams(of(10)));
    expect((await client.response()).status).toBe(200);
    await client.send(withParams(of(11)));
    expect((await client.response()).status).toBe(431);
  });
});

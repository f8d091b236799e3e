// The head of a CGI response, read as a web server reads it (RFC 3875, section 6).

import * as fc from 'fast-check';

import { MalformedHeadError, ResponseHeadParser, parseResponseHead, type ResponseHead } from '../../lib/cgi/index.ts';

const head = (changes: Partial<ResponseHead>): ResponseHead => ({
  status: 200,
  reason: '',
  headers: [],
  contentLength: undefined,
  localRedirect: undefined,
  ...changes,
});

test.each<[what: string, text: string, expected: Partial<ResponseHead>]>([
  ['a document', 'Content-Type: text/html\r\n\r\n', { headers: [['Content-Type', 'text/html']] }],
  [
    'line ends of LF',
    'Content-Type: a\nX: b\n\n',
    {
      headers: [
        ['Content-Type', 'a'],
        ['X', 'b'],
      ],
    },
  ],
  [
    'mixed line ends',
    'A: a\r\nB: b\n\r\n',
    {
      headers: [
        ['A', 'a'],
        ['B', 'b'],
      ],
    },
  ],
  ['no empty line', 'A: a', { headers: [['A', 'a']] }],
  ['Status', 'Status: 404 Not Found\r\nA: b\r\n\r\n', { status: 404, reason: 'Not Found', headers: [['A', 'b']] }],
  ['Status without a phrase', 'Status: 204\n\n', { status: 204 }],
  [
    'Status in any case and place',
    'A: b\nSTATUS:500 \t Oh  no\n\n',
    { status: 500, reason: 'Oh  no', headers: [['A', 'b']] },
  ],
  ['Status 101', 'Status: 101 Switching Protocols\n\n', { status: 101, reason: 'Switching Protocols' }],
  ['a phrase of bytes', 'Status: 200 \xfc\xff\n\n', { reason: '\xfc\xff' }],
  [
    'a client redirect',
    'Location: https://example.org/x\n\n',
    { status: 302, headers: [['Location', 'https://example.org/x']] },
  ],
  [
    'a local redirect',
    'Location: /other?x=1\n\n',
    { status: 302, headers: [['Location', '/other?x=1']], localRedirect: '/other?x=1' },
  ],
  ['a redirect with Status', 'Status: 301\nLocation: /x\n\n', { status: 301, headers: [['Location', '/x']] }],
  ['another host without a scheme', 'Location: //h/x\n\n', { status: 302, headers: [['Location', '//h/x']] }],
  ['Content-Length', 'Content-Length: 42\n\n', { headers: [['Content-Length', '42']], contentLength: 42 }],
  [
    'Content-Length, twice the same',
    'Content-Length: 7\ncontent-length: 7\n\n',
    {
      headers: [
        ['Content-Length', '7'],
        ['content-length', '7'],
      ],
      contentLength: 7,
    },
  ],
  [
    'repeated fields, in order',
    'Set-Cookie: a=1\nX: y\nSet-Cookie: b=2\n\n',
    {
      headers: [
        ['Set-Cookie', 'a=1'],
        ['X', 'y'],
        ['Set-Cookie', 'b=2'],
      ],
    },
  ],
  [
    'white space around values',
    'A: \t b \t\nB:c\nC:\n\n',
    {
      headers: [
        ['A', 'b'],
        ['B', 'c'],
        ['C', ''],
      ],
    },
  ],
  ['bytes in values', 'A: \xa0\xc3\xa4\xa0\n\n', { headers: [['A', '\xa0\xc3\xa4\xa0']] }],
  ['odd but allowed names', "!#$%&'*+-.^_`|~09AZaz: 1\n\n", { headers: [["!#$%&'*+-.^_`|~09AZaz", '1']] }],
  [
    'names of objects',
    '__proto__: 1\nconstructor: 2\n\n',
    {
      headers: [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    },
  ],
])('%s', (_what, text, expected) => {
  expect(parseResponseHead(text)).toEqual(head(expected));
});

test.each<[what: string, text: string, message: RegExp]>([
  ['an empty head', '\r\n', /empty line/],
  ['nothing', '', /empty line/],
  ['an HTTP status line', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', /HTTP status line.*"Status: 200 OK"/],
  ['a line without a colon', '<html>\n\n', /"<html>" is not a header field/],
  ['a space in front of the colon', 'A : b\n\n', /not a header field/],
  ['no name', ': b\n\n', /not a header field/],
  ['a folded line', 'A: b\n c\n\n', /not a header field/],
  ['a name with bytes', 'Ä: b\n\n', /not a header field/],
  ['a CR inside a value', 'A: b\rX: c\n\n', /CR or NUL/],
  ['a NUL inside a value', 'A: b\0c\n\n', /CR or NUL/],
  ['Status of two digits', 'Status: 20\n\n', /Status "20"/],
  ['Status of four digits', 'Status: 2000\n\n', /Status "2000"/],
  ['Status of text', 'Status: OK\n\n', /Status "OK"/],
  ['Status, empty', 'Status:\n\n', /Status ""/],
  ['Status 103, which another head would follow', 'Status: 103 Early Hints\n\n', /Status "103 Early Hints"/],
  ['Status 600', 'Status: 600\n\n', /Status "600"/],
  ['Status twice', 'Status: 200\nStatus: 200\n\n', /Status stands there twice/],
  ['Content-Type twice', 'Content-Type: a\ncontent-type: a\n\n', /content-type stands there twice/],
  ['Location twice', 'Location: /a\nLocation: /b\n\n', /Location stands there twice/],
  ['Content-Length of text', 'Content-Length: ten\n\n', /Content-Length "ten"/],
  ['Content-Length with a sign', 'Content-Length: +1\n\n', /Content-Length "\+1"/],
  ['Content-Length that no number holds', `Content-Length: ${'9'.repeat(16)}\n\n`, /Content-Length/],
  ['two Content-Lengths', 'Content-Length: 1\nContent-Length: 2\n\n', /two Content-Lengths, 1 and 2/],
])('%s is refused', (_what, text, message) => {
  expect(() => parseResponseHead(text)).toThrow(MalformedHeadError);
  expect(() => parseResponseHead(text)).toThrow(expect.objectContaining({ code: 'BAD_HEAD' }));
  expect(() => parseResponseHead(text)).toThrow(message);
});

test('a message shows little of a long line', () => {
  expect(() => parseResponseHead('x'.repeat(1_000_000))).toThrow(/^"x{80}\.\.\." is not a header field/);
});

describe('ResponseHeadParser', () => {
  /** The head, and the body behind it, of a stream cut into these pieces. */
  function parse(pieces: Buffer[], maxBytes?: number): { head: ResponseHead; body: string } | undefined {
    const parser = new ResponseHeadParser(maxBytes);
    for (const [i, piece] of pieces.entries()) {
      const framed = Buffer.concat([Buffer.from('\n\n'), piece, Buffer.from('\n\n')]); // only the piece itself counts
      const bodyAt = parser.push(framed, 2, 2 + piece.length);
      if (bodyAt < 0) continue;
      const body = Buffer.concat([framed.subarray(bodyAt, 2 + piece.length), ...pieces.slice(i + 1)]);
      return { head: parser.head(), body: body.toString('latin1') };
    }
    return undefined;
  }

  test.each([
    'Status: 201 Created\r\nA: b\r\n\r\nbody\r\n\r\nmore',
    'Status: 201 Created\nA: b\n\nbody\n\nmore',
    'Status: 201 Created\r\nA: b\n\r\nbody\n\nmore',
    'Status: 201 Created\r\nA: b\r\n\n\n',
    'Status: 201 Created\r\nA: b\r\n\r\n',
  ])('finds the end of %j wherever it is cut', (text) => {
    const input = Buffer.from(text);
    const body = text.slice(text.search(/\n\r?\n/)).replace(/^\n\r?\n/, '');
    const expected = { head: head({ status: 201, reason: 'Created', headers: [['A', 'b']] }), body };
    for (let first = 0; first <= input.length; first++) {
      for (let second = first; second <= input.length; second++) {
        const pieces = [input.subarray(0, first), input.subarray(first, second), input.subarray(second)];
        expect(parse(pieces)).toEqual(expected);
      }
    }
  });

  test('a lone CR does not end a head', () => {
    expect(parse([Buffer.from('A: b\n\rC: d\n')])).toBeUndefined();
    expect(parse([Buffer.from('A: b\n\r\r\n')])).toBeUndefined();
  });

  test('the bound is on the head with its empty line, not on what follows', () => {
    const text = `A: ${'b'.repeat(93)}\r\n\r\n`;
    expect(text).toHaveLength(100);
    expect(parse([Buffer.from(`${text}${'x'.repeat(1000)}`)], 100)?.body).toHaveLength(1000);
    const tooLarge = expect.objectContaining({ name: 'MalformedHeadError', code: 'HEAD_TOO_LARGE' });
    expect(() => parse([Buffer.from(text)], 99)).toThrow(tooLarge);
    expect(() =>
      parse(
        Array.from({ length: 101 }, () => Buffer.from('a')),
        100,
      ),
    ).toThrow(tooLarge);
    expect(() => parse([Buffer.alloc(65_537, 'a')])).toThrow(tooLarge);
  });

  test('tells whether anything has come', () => {
    const parser = new ResponseHeadParser();
    expect(parser.empty).toBe(true);
    parser.push(Buffer.from('A'), 0, 1);
    expect(parser.empty).toBe(false);
  });

  test('random bytes give the same outcome however they are cut, a MalformedHeadError at worst', () => {
    const outcome = (pieces: Buffer[]): unknown => {
      try {
        return parse(pieces, 200);
      } catch (error) {
        if (error instanceof MalformedHeadError) return error.code;
        throw error;
      }
    };
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom('Status: 200 OK', 'Status: 99', 'Location: /x', 'Content-Length: 3', '', '\r', ' x', 'A: \0'),
        fc.string({ maxLength: 20 }),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(lines, fc.array(fc.constantFrom('\n', '\r\n'), { minLength: 8, maxLength: 8 }), (texts, ends) => {
        const input = Buffer.from(texts.map((text, i) => `${text}${ends[i] ?? ''}`).join(''), 'latin1');
        const bytewise = Array.from(input, (_, at) => input.subarray(at, at + 1));
        expect(outcome(bytewise)).toEqual(outcome([input]));
      }),
      { numRuns: 2000 },
    );
  });
});

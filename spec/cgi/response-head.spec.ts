// A response's head as text: nothing gets into it that was not meant to be a field of it.

import fc from 'fast-check';
import {
  checkHeader,
  formatResponseHead,
  isHopByHop,
  parseResponseHead,
  ResponseHeadError,
} from '../../lib/cgi/index.ts';
import { BAD_NAMES, BAD_VALUES } from '../support/injections.ts';

const PASSED = 'nothing was thrown';

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ResponseHeadError) return error.code;
    throw error;
  }
  return PASSED;
}

describe('header injection', () => {
  test('is tried in more than 200 ways', () => {
    expect(new Set(BAD_NAMES).size + new Set(BAD_VALUES).size).toBeGreaterThan(300);
  });

  test.each(BAD_NAMES.map((name) => [JSON.stringify(name), name]))('a header cannot be named %s', (_shown, name) => {
    expect(codeOf(() => checkHeader(name, 'value'))).toBe('BAD_HEADER_NAME');
  });

  test.each(BAD_VALUES.map((value) => [JSON.stringify(value), value]))('a value cannot be %s', (_shown, value) => {
    expect(codeOf(() => checkHeader('X-A', value))).toBe('BAD_HEADER_VALUE');
  });

  test('is impossible with any text: what passes is one field, read back as it was', () => {
    const units = ['a', 'b', '-', ':', ' ', '\t', '\r', '\n', '\0', '\xff', '\u010a'];
    const text = fc.string({ unit: fc.constantFrom(...units), maxLength: 5 });
    fc.assert(
      fc.property(text, text, (name, value) => {
        fc.pre(codeOf(() => checkHeader(name, value)) === PASSED && !isHopByHop(name));
        const head = parseResponseHead(formatResponseHead(200, [name, value]));
        expect(head.headers).toEqual([[name, withoutBlanksAround(value)]]);
      }),
      { numRuns: 500, maxSkipsPerRun: 1000 },
    );
  });
});

describe('checkHeader', () => {
  test.each([
    ['the characters of a token', "!#$%&'*+-.^_`|~09azAZ", 'value'],
    ['nothing', 'X-A', ''],
    ['blanks around it, which are not part of the value', 'X-A', ' \tvalue\t '],
    ['a tab within', 'X-A', 'a\tb'],
    ['all visible ASCII', 'X-A', ' !"#$%&\'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~'],
    ['bytes beyond ASCII', 'X-A', '\x80\x85\xa0\xe9\xff'],
  ])('lets through %s', (_what, name, value) => {
    expect(() => checkHeader(name, value)).not.toThrow();
  });

  test('says which header it is, and what to do', () => {
    expect(() => checkHeader('X-A', 'a\nb')).toThrow(/X-A.*percent-encode/);
    expect(() => checkHeader('X A', 'b')).toThrow(/"X A"/);
  });
});

describe('isHopByHop', () => {
  test.each([
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'status',
  ])('%s is the business of the web server', (name) => {
    expect(isHopByHop(name)).toBe(true);
  });

  test.each([
    'content-length',
    'content-type',
    'set-cookie',
    'location',
    'statuses',
    'x-upgrade',
    'via',
    '',
    '__proto__',
  ])('%p is ours', (name) => {
    expect(isHopByHop(name)).toBe(false);
  });
});

describe('formatResponseHead', () => {
  test('begins with Status and ends with an empty line', () => {
    expect(formatResponseHead(200, [])).toBe('Status: 200 OK\r\n\r\n');
    expect(formatResponseHead(404, ['Content-Type', 'text/plain', 'X-A', 'b'])).toBe(
      'Status: 404 Not Found\r\nContent-Type: text/plain\r\nX-A: b\r\n\r\n',
    );
  });

  test('keeps fields in their order, and repeats Set-Cookie', () => {
    const fields = ['Set-Cookie', 'a=1', 'X-A', 'b', 'Set-Cookie', 'c=2'];
    expect(formatResponseHead(200, fields)).toBe(
      'Status: 200 OK\r\nSet-Cookie: a=1\r\nX-A: b\r\nSet-Cookie: c=2\r\n\r\n',
    );
  });

  test('takes every status from 200 to 599', () => {
    for (let status = 200; status <= 599; status++) {
      const head = formatResponseHead(status, []);
      expect(head).toMatch(new RegExp(`^Status: ${status} [A-Z][A-Za-z -]+\r\n\r\n$`));
    }
  });

  test.each([0, 100, 101, 103, 199, 600, 999, 1000, -200, 200.5, NaN, Infinity])('refuses status %p', (status) => {
    expect(codeOf(() => formatResponseHead(status, []))).toBe('BAD_STATUS');
  });

  test.each(['200', '200 OK\r\nX: y', null, undefined, {}])('refuses %p as a status', (status) => {
    expect(codeOf(() => formatResponseHead(status as unknown as number, []))).toBe('BAD_STATUS');
  });

  test('is bounded: 8 KiB unless told otherwise', () => {
    const rest = 'Status: 200 OK\r\nX-A: \r\n\r\n'.length;
    expect(formatResponseHead(200, ['X-A', 'b'.repeat(8192 - rest)])).toHaveLength(8192);
    expect(codeOf(() => formatResponseHead(200, ['X-A', 'b'.repeat(8193 - rest)]))).toBe('HEAD_TOO_LARGE');
    expect(codeOf(() => formatResponseHead(200, ['X-A', 'b'], rest))).toBe('HEAD_TOO_LARGE');
    expect(formatResponseHead(200, ['X-A', 'b'], rest + 1)).toHaveLength(rest + 1);
  });

  test('is read back as it was', () => {
    const token = fc.string({
      unit: fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789abcXYZ".split('')),
      minLength: 1,
      maxLength: 20,
    });
    const name = token.filter((one) => !/^(?:status|content-type|content-length|location)$/i.test(one));
    const byte = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f);
    const value = fc.array(byte, { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));
    const fields = fc.array(fc.tuple(name, value), { maxLength: 20 });
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fields, (status, pairs) => {
        for (const [one, other] of pairs) checkHeader(one, other);
        const text = formatResponseHead(status, pairs.flat(), 65_536);
        const head = parseResponseHead(text);
        expect(head.status).toBe(status);
        expect(head.headers).toEqual(pairs.map(([one, other]) => [one, withoutBlanksAround(other)]));
        expect(text).toBe(Buffer.from(text, 'latin1').toString('latin1')); // a byte a character
      }),
    );
  });
});

/** Blanks and tabs around a value are not part of it (RFC 9110, 5.5). */
function withoutBlanksAround(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

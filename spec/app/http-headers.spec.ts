// HttpHeaders: the fields of a response, in order, by names in any case.

import { HttpError, HttpHeaders, HttpResponse } from '../../lib/app/index.ts';
import { BAD_NAMES, BAD_VALUES } from '../support/injections.ts';

const listed = (headers: HttpHeaders): [string, string][] => [...headers];

describe('are made of', () => {
  test.each([
    ['an object', { 'X-A': 'b', 'Set-Cookie': ['c=1', 'd=2'], 'Content-Length': 5 }],
    [
      'pairs',
      [
        ['X-A', 'b'],
        ['Set-Cookie', 'c=1'],
        ['Set-Cookie', 'd=2'],
        ['Content-Length', '5'],
      ] as [string, string][],
    ],
    ['others of their kind', new HttpHeaders({ 'X-A': 'b', 'Set-Cookie': ['c=1', 'd=2'], 'Content-Length': 5 })],
  ])('%s', (_what, init) => {
    expect(listed(new HttpHeaders(init))).toEqual([
      ['X-A', 'b'],
      ['Set-Cookie', 'c=1'],
      ['Set-Cookie', 'd=2'],
      ['Content-Length', '5'],
    ]);
  });

  test("the platform's Headers, cookies one by one", () => {
    const headers = new Headers({ 'X-A': 'b' });
    headers.append('Set-Cookie', 'c=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
    headers.append('Set-Cookie', 'd=2');
    expect(new HttpHeaders(headers).getAll('Set-Cookie')).toEqual([
      'c=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'd=2',
    ]);
  });

  test('a Map', () => {
    expect(listed(new HttpHeaders(new Map([['X-A', 'b']])))).toEqual([['X-A', 'b']]);
  });

  test('nothing', () => {
    expect(listed(new HttpHeaders())).toEqual([]);
  });
});

test('are found by their names in any case, and keep the names they were given', () => {
  const headers = new HttpHeaders({ 'X-Name': 'value' });
  for (const name of ['X-Name', 'x-name', 'X-NAME']) {
    expect(headers.get(name)).toBe('value');
    expect(headers.has(name)).toBe(true);
    expect(headers.getAll(name)).toEqual(['value']);
  }
  expect(listed(headers)).toEqual([['X-Name', 'value']]);
  expect([headers.get('X-None'), headers.has('X-None'), headers.getAll('X-None')]).toEqual([undefined, false, []]);
});

test('set replaces all fields of a name, in the place of the first', () => {
  const headers = new HttpHeaders([
    ['A', '1'],
    ['B', '2'],
    ['a', '3'],
    ['C', '4'],
    ['A', '5'],
  ]);
  headers.set('a', '6');
  expect(listed(headers)).toEqual([
    ['A', '6'],
    ['B', '2'],
    ['C', '4'],
  ]);
  headers.set('D', '7');
  expect(listed(headers).at(-1)).toEqual(['D', '7']);
});

test('append adds a field beside those of its name', () => {
  const headers = new HttpHeaders({ A: '1', B: '2' });
  headers.append('a', '3');
  expect(headers.getAll('A')).toEqual(['1', '3']);
  expect(headers.get('A')).toBe('1');
});

test('delete removes all fields of a name', () => {
  const headers = new HttpHeaders([
    ['A', '1'],
    ['a', '2'],
    ['B', '3'],
    ['A', '4'],
  ]);
  headers.delete('A');
  headers.delete('X-None');
  expect(listed(headers)).toEqual([['B', '3']]);
});

describe('vary', () => {
  test.each<[before: [string, string][], name: string, after: string[]]>([
    [[], 'Accept', ['Accept']],
    [[['Vary', 'Accept']], 'Cookie', ['Accept, Cookie']],
    [[['Vary', 'Accept, cookie']], 'Cookie', ['Accept, cookie']],
    [[['Vary', 'Accept-Encoding']], 'Accept', ['Accept-Encoding, Accept']],
    [
      [
        ['Vary', 'Accept'],
        ['vary', 'Cookie'],
      ],
      'Origin',
      ['Accept, Cookie, Origin'],
    ],
  ])('%j and %s', (before, name, after) => {
    const headers = new HttpHeaders(before);
    headers.vary(name);
    expect(headers.getAll('Vary')).toEqual(after);
  });
});

describe("the web server's own business is left out without a word", () => {
  test.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Status',
  ])('%s', (name) => {
    const headers = new HttpHeaders({ [name]: 'close' });
    headers.set(name.toLowerCase(), 'close');
    headers.append(name.toUpperCase(), 'close');
    expect(listed(headers)).toEqual([]);
  });
});

describe('no injection', () => {
  const WAYS: [string, (name: string, value: string) => unknown][] = [
    ['the constructor, by an object', (name, value) => new HttpHeaders({ [name]: value })],
    ['the constructor, by a list', (name, value) => new HttpHeaders({ [name]: ['fine', value] })],
    ['the constructor, by pairs', (name, value) => new HttpHeaders([[name, value]])],
    ['append', (name, value) => new HttpHeaders().append(name, value)],
    ['set', (name, value) => new HttpHeaders().set(name, value)],
    ['set, over another', (name, value) => new HttpHeaders({ 'X-A': 'b' }).set(name, value)],
    ['a response', (name, value) => new HttpResponse('x', { headers: { [name]: value } })],
    ['an error', (name, value) => new HttpError(404, 'x', { headers: { [name]: value } })],
  ];

  test.each(WAYS)('by %s', (_way, add) => {
    const passed = [
      ...BAD_NAMES.filter((name) => !throws(() => add(name, 'value'))),
      ...BAD_VALUES.filter((value) => !throws(() => add('X-A', value))),
    ];
    expect(passed).toEqual([]);
  });

  test('by the value for Vary, a cookie or a redirect', () => {
    const passed = BAD_VALUES.filter(
      (value) =>
        !throws(() => new HttpHeaders().vary(value)) || !throws(() => new HttpResponse().setCookie(value, 'x')),
    );
    expect(passed).toEqual([]);
    for (const value of BAD_VALUES.filter((one) => !/[\ud800-\udfff]/.test(one))) {
      expect(HttpResponse.redirect(value).headers.get('Location')).toMatch(/^[!-~]*$/);
      expect(new HttpResponse().setCookie('a', value).headers.get('Set-Cookie')).toMatch(/^a=[!-~]*; Path=\/$/);
    }
  });
});

function throws(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (error instanceof TypeError) return true; // ResponseHeadError is one, and so is what cookies throw
    throw error;
  }
}

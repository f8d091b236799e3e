// What a request's target is read as.

import { readTarget } from '../../lib/gateway/target.ts';

describe('the path', () => {
  test.each([
    ['/', '/'],
    ['/a%20b', '/a b'],
    ['/a+b', '/a+b'],
    ['/a%2Fb', '/a/b'],
    ['/%C3%BC', '/Ã¼'],
    ['//double//slashes/', '/double/slashes/'],
    ['/a/./b/../c', '/a/c'],
    ['/a/b/..', '/a/'],
    ['/a/%2e%2E/b', '/b'],
    ['/..a/b...', '/..a/b...'],
    ['/100%25', '/100%'],
  ])('%s is %s', (uri, path) => {
    expect(readTarget(uri)).toEqual({ uri, authority: undefined, path, query: '' });
  });

  test.each(['/..', '/a/../..', '/%2e%2e', '/a%00b', '/100%', '/%zz', '/%a', '*', 'example.org:443', ''])(
    '%s is refused',
    (uri) => {
      expect(readTarget(uri)).toBeUndefined();
    },
  );
});

test.each([
  ['/x?', '/x', ''],
  ['/x?a=1&b=%20', '/x', 'a=1&b=%20'],
  ['/x?a=1?b=2', '/x', 'a=1?b=2'],
  ['/x?/../y', '/x', '/../y'],
  ['/x?a#b', '/x', 'a'],
])('the query of %s is not decoded', (uri, path, query) => {
  expect(readTarget(uri)).toMatchObject({ uri, path, query });
});

test.each([
  ['http://example.org/a?b', 'example.org', '/a?b'],
  ['HTTP://example.org:8080', 'example.org:8080', '/'],
  ['http://example.org?b', 'example.org', '/?b'],
])('%s is for a host', (sent, authority, uri) => {
  expect(readTarget(sent)).toMatchObject({ authority, uri });
});

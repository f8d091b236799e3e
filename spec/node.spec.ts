// postfork/node: what it has, under which names.

import * as node from '../lib/node.ts';

test('its names', () => {
  expect(Object.keys(node).toSorted()).toEqual([
    'NodeServer',
    'adapt',
    'createServer',
    'fromFetch',
    'fromNode',
    'toFetch',
  ]);
  expect(node.toFetch).toBe(node.fromFetch);
});

// docs/lab.md names cells that there are.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { matrix, select } from '../../lib/lab/run/cells.ts';

const page = readFileSync(join(__dirname, '../../docs/lab.md'), 'utf8');
const names = [...new Set(page.match(/\b(?:fork|spawn|single|in-process)\/[\w/-]*\w/g))];
const cells = matrix({
  drivers: ['pg', 'pg-native', 'pg-plain'],
  workers: [2, 4, 8],
  maxRequests: [0, 5, 1],
  concurrency: [1, 8],
});

test('it names some', () => {
  expect(names.length).toBeGreaterThan(5);
});

test.each(names)('%s', (name) => {
  expect(select(cells, name).length).toBeGreaterThan(0);
});

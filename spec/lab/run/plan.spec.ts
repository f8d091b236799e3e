// What is left out where something is missing. What the command says without pgbouncer is in ../lab.spec.ts.

import { matrix, select } from '../../../lib/lab/run/cells.ts';
import { feasible } from '../../../lib/lab/run/plan.ts';

const all = matrix({ drivers: ['pg', 'pg-native'], workers: [2], maxRequests: [0], concurrency: [1] });

test('without pg-native its cells are left out, and how to install it is said', async () => {
  const cells = [...select(all, 'single/none'), ...select(all, 'fork/*/*/*/pg-native')];
  const natives = cells.length - 1;
  expect(await feasible(cells, { native: undefined })).toEqual({
    cells: select(all, 'single/none'),
    left: [`${natives} cells: pg-native is not installed: scripts/setup --lab, or npm install pg-native`],
  });
  expect((await feasible(select(all, 'fork/none/w2/m0/pg-native'), { native: undefined })).left).toEqual([
    '1 cell: pg-native is not installed: scripts/setup --lab, or npm install pg-native',
  ]);
});

test('where everything is there nothing is left out, and nothing is said of what nobody asks for', async () => {
  expect(await feasible(all, { native: '/a/file.js' })).toEqual({ cells: all, left: [] });
  expect(await feasible([], { native: undefined })).toEqual({ cells: [], left: [] });
});

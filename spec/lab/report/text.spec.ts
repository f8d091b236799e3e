// The lab's table for a terminal.

import { reportText } from '../../../lib/lab/report/index.ts';
import { cellResult, labResult, thread, wholeRun } from './sample.ts';

const lines = (text: string): readonly string[] => text.split('\n');

test('no line is wider than 120 columns, with every fix and every deployment', () => {
  expect(Math.max(...lines(reportText(wholeRun())).map((line) => line.length))).toBeLessThanOrEqual(120);
});

test.each([80, 60, 34])('a terminal of %d columns has the fixes below each other, and no wider line', (width) => {
  const text = reportText(wholeRun(), { width });
  const own = lines(text).filter((line) => !line.startsWith('Left out: ') && !line.includes('Again: '));
  expect(Math.max(...own.map((line) => line.length))).toBeLessThanOrEqual(width);
  expect(text.match(/^pg  .*no fix/gm)).toHaveLength(1);
  expect(text.match(/^pg  .*Postfork's/gm)).toHaveLength(1);
  expect(text).not.toContain('undefined');
  expect(reportText(wholeRun(), { width: 300 })).toBe(reportText(wholeRun()));
});

test('workers that died show though no request failed, and so does what is amiss', () => {
  const died = cellResult({ cell: { driver: 'pg-plain', fix: 'started' }, result: { predicted: null, deaths: 3 } });
  const text = reportText(labResult([died]));
  expect(text).toContain('fork 4w m0          0/100\n                    3 died\n');
  expect(text).toContain('\nWorkers died with request_started closes.\n');
  const sentence = '5 processes had the connection of the import';
  const broken = reportText(labResult([cellResult({ cell: { fix: 'postfork' }, result: { amiss: [sentence] } })]));
  expect(broken).toContain('fork 4w m0          0/100 ✓\n                    ✗ amiss\n');
  expect(broken).toContain(`The law held in 1 of 1 cell. Not as it must be: fork/postfork/w4/m0: ${sentence}.`);
  expect(broken).not.toContain('No request failed');
});

test('a cell whose fork guard was not the reason did not start', () => {
  const amiss = ['it did not start, and not because of the fork guard'];
  const guard = cellResult({ cell: { fix: 'guard' }, result: { requests: 0, answered: 0, refused: 'boom', amiss } });
  const text = reportText(labResult([guard]));
  expect(text).toContain('fork 4w m0          no start\n');
  expect(text).toContain('1 cell did not start: fork/guard/w4/m0.');
  expect(text).not.toContain('refuses to start');
});

test('what is not reproduced because one worker has served all is said so', () => {
  const text = reportText(labResult([thread({ workers: 4 }, 1)]), { width: 120 }).replaceAll(/\s+/g, ' ');
  expect(text).toContain('0 of 100 requests failed, as one worker served them all and the fault takes two.');
});

test('a row has each fix below its name, the law’s mark, kinds and real Django below the figure', () => {
  const cells = [
    thread({ workers: 4 }, 4, { django: 3 }),
    cellResult({ cell: { fix: 'lazy' }, result: { connects: 100 } }),
    cellResult({
      cell: { fix: 'pgbouncer-strict' },
      failures: { OperationalError: 2, InterfaceError: 1 },
      result: { predicted: 3, connects: 103 },
    }),
    cellResult({ cell: { fix: 'guard' }, result: { requests: 0, answered: 0, refused: 'no' } }),
  ];
  const text = lines(reportText(labResult(cells)));
  const table = text.slice(text.indexOf('') + 1);
  expect(table.slice(0, 7)).toEqual([
    'pg                  no fix        no query      pgbouncer     fork',
    '                                  at import     strict        guard',
    '-'.repeat(76),
    'fork 4w m0          3/100 ✓       0/100 ✓       3/100 ✓       refuses',
    '                    Django 3                    Operational 2',
    '                                                Interface 1',
    '',
  ]);
  expect(reportText(labResult(cells))).toContain(
    'Connects per request under fork: no fix 1.01; no query at import 1.00; pgbouncer, strict close 1.03.',
  );
});

test('the verdict counts the cells, and names those where the law did not hold', () => {
  expect(lines(reportText(labResult([thread({}, 4)])))).toContain('The law held in 1 of 1 cell.');
  const text = reportText(labResult([thread({}, 4), cellResult({ cell: { workers: 2 }, result: { predicted: 1 } })]));
  expect(text).toContain('fork 2w m0          0/100 ✗ 1\n');
  expect(lines(text)).toContain(
    'The law held in 1 of 2 cells. It did not hold in fork/none/w2/m0 (0 failed, the law says 1).',
  );
});

test('what was left out and how to run it again stand at the end', () => {
  expect(lines(reportText(labResult([thread({}, 4)]))).slice(-3)).toEqual([
    'Left out: pg-native: it is not installed: npm install pg-native',
    '1 cell in 3 min 12 s, lighttpd. Again: postfork lab --requests 100',
    '',
  ]);
});

test('drivers have tables of their own, and several at a time a row', () => {
  const concurrent = cellResult({
    cell: { concurrency: 16 },
    failures: { crossed: 2, hang: 1 },
    result: { predicted: null },
  });
  const plain = cellResult({
    cell: { driver: 'pg-plain' },
    failures: { death: 1 },
    result: { predicted: null, answered: 98 },
  });
  const text = reportText(labResult([plain, concurrent, thread({}, 4)]));
  expect(text).toContain('fork 4w m0 x16      3/100\n                    crossed 2\n                    hang 1\n');
  expect(text).toContain(
    `pg-plain            no fix\n${'-'.repeat(34)}\nfork 4w m0          1/100\n                    death 1\n                    lost 1\n`,
  );
});

test('color is asked for, and takes no columns', () => {
  const result = labResult([thread({}, 4), cellResult({ cell: { fix: 'lazy' } })]);
  const plain = reportText(result);
  const colored = reportText(result, { color: true });
  expect(plain).not.toContain('\u001b');
  expect(colored).toContain('\u001b[31m3/100 ✓\u001b[0m       \u001b[32m0/100 ✓\u001b[0m');
  // oxlint-disable-next-line no-control-regex -- the codes themselves
  expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(plain);
});

test('a text of the run gives the terminal no orders', () => {
  const result = labResult([], { left: ['a\u001b[2Jb'], command: 'x\u009by\rz' });
  expect(reportText(result)).toContain('Left out: a␛[2Jb\n');
  expect(reportText(result)).toContain('Again: x\ufffdy␍z\n');
  expect(reportText(result)).toContain('No cell was run.');
});

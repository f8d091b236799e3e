// `postfork lab`: what it is asked for, and what it says where that cannot be had.

import { labCommand } from '../lab/lab-command.ts';

const lab = labCommand();
const said = async (...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> => {
  const command = lab.start(args);
  const { code } = await command.finished;
  return { code, stdout: command.stdout, stderr: command.stderr };
};
const WITHIN = 60_000; // ms for a run, of a slow machine too

test('--list shows the cells that are asked for, and starts nothing', async () => {
  const { code, stdout, stderr } = await said('--list');
  const ids = stdout.split('\n').slice(0, -1);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(ids[0]).toBe('fork/none/w2/m0');
  expect(ids).toEqual(
    expect.arrayContaining(['fork/none/w8/m1', 'fork/none/w4/m0/c8/pg-native', 'in-process/postfork']),
  );
  expect(new Set(ids).size).toBe(ids.length);
  expect(await said('--list', '--only', 'fork/*/w2/m1', '--driver', 'pg')).toMatchObject({
    stdout: ['none', 'lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient', 'postfork']
      .map((fix) => `fork/${fix}/w2/m1\n`)
      .join(''),
  });
  const some = ['--workers', '3', '--max-requests', '0,7', '--concurrency', '1', '--only', 'fork/none'];
  expect((await said('--list', '--driver', 'pg-native', ...some)).stdout).toBe(
    'fork/none/w3/m0/pg-native\nfork/none/w3/m7/pg-native\n',
  );
});

test('--only takes several, each cell once, in the matrix’s order', async () => {
  const only = ['--only', 'single/lazy', 'fork/guard', 'single', 'single/lazy', '--concurrency', '1'];
  expect((await said('--list', ...only)).stdout).toBe(
    `fork/guard/w4/m0\n${['none', 'lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient', 'postfork']
      .map((fix) => `single/${fix}\n`)
      .join('')}`,
  );
});

test('--help tells how cells are called, and how long a hang is', async () => {
  const { stdout } = await said('--help');
  expect(stdout).toContain('DEPLOYMENT/FIX/wWORKERS/mMAX-REQUESTS');
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    'without an answer that are a hang, where one is to be expected; elsewhere 5 times as long (default: 2000)',
  );
});

test.each<[string[], RegExp]>([
  [['--only', 'fork/nope'], /^postfork: no cell is called fork\/nope; there are\n {2}fork\/none\/w2\/m0\n/],
  [['--only', 'single', 'x'], /^postfork: no cell is called x; there are\n/],
  [['--only', 'fork/none/w4/m0', '--workers', '2'], /^postfork: no cell is called fork\/none\/w4\/m0; there are\n/],
  [['--only'], /argument missing/],
  [['--keep', '--only', 'single'], /^postfork: --keep is for one cell, and --only names 6:\n {2}single\/none\n/],
  [['--keep', '--workers', '2'], /^postfork: no cell is called fork\/none\/w4\/m0/],
  [['--workers', '0'], /--workers.* argument '0' is invalid\. a number of 1 or more/],
  [['--workers', 'two'], /argument 'two' is invalid\. a number of 0 or more/],
  [['--workers', '2,,4'], /argument '2,,4' is invalid/],
  [['--max-requests', '-1'], /argument '-1' is invalid\. a number of 0 or more/],
  [['--concurrency', '0'], /argument '0' is invalid\. a number of 1 or more/],
  [['--requests', '0'], /argument '0' is invalid\. a number of 1 or more/],
  [['--driver', 'mysql'], /argument 'mysql' is invalid\. Allowed choices are pg, pg-native, pg-plain/],
  [['--web-server', 'apache'], /argument 'apache' is invalid\. Allowed choices are lighttpd, nginx/],
])('%j is refused with exit 1 and what is wrong', async (args, message) => {
  const { code, stdout, stderr } = await said(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(message);
  expect(lab.leftOver()).toEqual([]);
});

test.each([
  ['lighttpd', /^postfork: lighttpd is not installed: apt-get install lighttpd/m],
  ['nginx', /^postfork: nginx is not installed: apt-get install nginx/m],
])(
  'without %s it says what to install, and leaves nothing',
  async (program, message) => {
    const command = lab.start(['--web-server', program, '--only', 'single/none'], program);
    expect((await command.finished).code).toBe(1);
    expect(command.stderr).toMatch(message);
    expect(lab.leftOver()).toEqual([]);
  },
  WITHIN,
);

describe('without pgbouncer', () => {
  test(
    'its cells are left out, and that is said',
    async () => {
      const only = ['single/none', 'single/pgbouncer-strict', 'single/pgbouncer-lenient'];
      const { exit, result, stdout } = await lab.run(['--requests', '3', '--only', ...only], 'pgbouncer');
      const left = '2 cells: pgbouncer is not installed: scripts/setup --lab, or apt-get install pgbouncer';
      expect(result.left).toEqual([left]);
      expect(result.cells.map(({ cell }) => cell.id)).toEqual(['single/none']);
      expect(result.versions).not.toHaveProperty('pgbouncer');
      expect(stdout).toContain('pgbouncer is not installed');
      expect(exit.code).toBe(0);
    },
    WITHIN,
  );

  test(
    'and nothing to run besides: exit code 1',
    async () => {
      const { exit, result } = await lab.run(['--only', 'single/pgbouncer-strict'], 'pgbouncer');
      expect(result).toMatchObject({ cells: [], left: [expect.stringMatching(/^1 cell: pgbouncer/)] });
      expect(exit.code).toBe(1);
    },
    WITHIN,
  );
});

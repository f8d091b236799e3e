// Nothing happens at import: no connection, no timer, no file, no listener, no global, no receiver. And where to import from.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

const LIB = join(__dirname, '../lib');
const DIST = join(__dirname, '../dist');
const IMPORTER = join(__dirname, 'programs/import-modules.mjs');
const PROGRAMS = ['cli.ts', 'worker.ts']; // are run, not imported

const sources = readdirSync(LIB, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(LIB, join(entry.parentPath, entry.name)))
  .filter((source) => !PROGRAMS.includes(source))
  .toSorted();

const built = (source: string): string => join(DIST, source.replace(/\.ts$/, '.js'));

/** What each module did besides being imported, in a process that has to end by itself. */
async function importing(modules: string[]): Promise<Record<string, string[]>> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [IMPORTER, built('signals/signal.ts'), ...modules],
    { timeout: 30_000, env: { PATH: process.env['PATH'] } }, // a process that is killed at its timeout is an error
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, string[]>;
}

describe('importing', () => {
  let report: Record<string, string[]> = {};

  beforeAll(async () => {
    report = await importing(sources.map(built));
  }, 60_000);

  test('is tried with every module there is, as it was built', () => {
    const missing = sources.filter((source) => !existsSync(built(source)));
    expect({ missing, advice: 'npm run build' }).toEqual({ missing: [], advice: 'npm run build' });
    expect(Object.keys(report)).toEqual(sources.map(built));
    expect(sources).toContain('app/application.ts');
  });

  test.each(sources)('%s does nothing', (source) => {
    expect(report[built(source)]).toEqual([]);
  });
});

describe('the trial itself sees', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postfork-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  type Trial = [what: string, code: string, seen: RegExp];
  const onLinux: Trial[] = [
    ['an open file', "import { openSync } from 'node:fs'; openSync(import.meta.filename);", /^descriptor \d+ .*\.mjs/],
    [
      'a server',
      "import { createServer } from 'node:net'; createServer().listen(0).unref();",
      /^descriptor \d+ socket/,
    ],
  ];

  test.each<Trial>([
    ['a timer', 'setInterval(() => {}, 50).unref();', /^timer 0 setInterval of 50 ms/],
    ['a listener', "process.on('SIGUSR2', () => {}).unref?.();", /^process listener SIGUSR2 1/],
    ['a global', 'globalThis.left = 1;', /^global left/],
    ['a variable', "process.env.LEFT = '1';", /^environment LEFT=1/],
    [
      'a receiver',
      `import { request_started } from '${built('signals/index.ts')}'; request_started.connect(function hear() {}, { sender: 1 });`,
      /^receiver request_started hear/,
    ],
    ...(process.platform === 'linux' ? onLinux : []), // elsewhere they are not seen
    ['an error', "throw new Error('boom');", /^error Error: boom/],
  ])('%s', async (what, code, seen) => {
    const module = join(folder, `${what.replace(/\W/g, '-')}.mjs`);
    writeFileSync(module, code);
    const report = await importing([module]);
    expect(report[module]).toEqual([expect.stringMatching(seen)]);
  });
});

test('every folder of lib has an index.ts', () => {
  const folders = [...new Set(sources.map((source) => dirname(source)))].filter((folder) => folder !== '.');
  expect(folders).toContain('app');
  expect(folders.filter((folder) => !existsSync(join(LIB, folder, 'index.ts')))).toEqual([]);
});

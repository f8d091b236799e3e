// What a worker writes, on the terminal of `postfork dev`.

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { DevOutput } from '../../lib/commands/dev-output.ts';

const GREEN = '\x1b[32mgreen\x1b[39m \x1b[1;38;5;9mbold\x1b[0m';
const LOGGED = JSON.stringify({
  level: 50,
  msg: 'failed',
  err: { stack: `Error: \x1b[31mred\x1b[0m \x1b[2J\n    at x` },
});
const isTTY = { stdout: process.stdout.isTTY, stderr: process.stderr.isTTY };
const { NO_COLOR } = process.env;

afterEach(() => {
  jest.restoreAllMocks();
  process.stdout.isTTY = isTTY.stdout;
  process.stderr.isTTY = isTTY.stderr;
  if (NO_COLOR === undefined) delete process.env['NO_COLOR'];
  else process.env['NO_COLOR'] = NO_COLOR;
});

/** What is shown of a worker's output. */
async function shown(
  text: string,
  { terminal = true, noColor = '' } = {},
): Promise<{ shown: string; recent: string[] }> {
  const written: string[] = [];
  process.env['NO_COLOR'] = noColor;
  for (const stream of [process.stdout, process.stderr]) {
    stream.isTTY = terminal;
    jest.spyOn(stream, 'write').mockImplementation((piece) => written.push(String(piece)) > 0);
  }
  const output = new DevOutput();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  output.add({ pid: 1, stdout, stderr });
  stdout.end();
  stderr.end(text);
  await Promise.all([once(stdout, 'end'), once(stderr, 'end')]);
  return { shown: written.join(''), recent: output.recent };
}

test('a terminal shows its colours, and nothing else commands it', async () => {
  expect((await shown(`${GREEN}\x1b[2J\x1b]0;title\x07\r\n`)).shown).toBe(`${GREEN}\\x1b[2J\\x1b]0;title\\x07\n`);
});

test('also in messages of its log', async () => {
  expect((await shown(`${LOGGED}\n`)).shown).toBe('failed: Error: \x1b[31mred\x1b[0m \\x1b[2J\n    at x\n');
});

test.each([
  ['where there is no terminal', { terminal: false }],
  ['where nobody wants any', { noColor: '1' }],
])('%s there are no colours', async (_where, how) => {
  expect((await shown(`${GREEN}\n`, how)).shown).toBe('green bold\n');
});

test('nor on pages', async () => {
  expect((await shown(`${GREEN}\n`)).recent).toEqual(['green bold']);
});

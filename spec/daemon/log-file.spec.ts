// LogDestination: real files, pipes and sockets that are full, stalled or gone.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { LogDestination } from '../../lib/daemon/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const NONBLOCK = constants.O_RDONLY | constants.O_NONBLOCK;

function fifo(name: string): string {
  const path = folder.join(name);
  execFileSync('mkfifo', [path]);
  return path;
}

/** All that is in a pipe now. */
function drain(reader: number): string {
  const bytes = Buffer.alloc(1 << 20);
  let text = '';
  for (;;) {
    try {
      const length = readSync(reader, bytes);
      if (length === 0) return text;
      text += bytes.toString('utf8', 0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return text;
      throw error;
    }
  }
}

describe('a file', () => {
  test("has pino's lines as soon as they are logged, mode 640, behind what was in it", () => {
    const file = folder.join('app.log');
    pino({ base: null, timestamp: false }, new LogDestination({ file })).info('one');
    pino({ base: null, timestamp: false }, new LogDestination({ file })).info('two');
    expect(readFileSync(file, 'utf8')).toBe('{"level":30,"msg":"one"}\n{"level":30,"msg":"two"}\n');
    expect(statSync(file).mode & 0o777).toBe(0o640 & ~process.umask());
  });

  test('is written as a format says', () => {
    const file = folder.join('pretty.log');
    new LogDestination({ file, format: (line) => line.toUpperCase() }).write('loud\n');
    expect(readFileSync(file, 'utf8')).toBe('LOUD\n');
  });

  test('that was moved away is made anew by reopen()', () => {
    const file = folder.join('rotated.log');
    const destination = new LogDestination({ file });
    destination.write('old\n');
    renameSync(file, `${file}.1`);
    destination.write('still old\n');
    destination.reopen();
    destination.write('new\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('old\nstill old\n');
    expect(readFileSync(file, 'utf8')).toBe('new\n');
  });

  test('that cannot be opened is an Error; a reopen() that fails goes on in the old one', () => {
    expect(() => new LogDestination({ file: folder.join('missing', 'app.log') })).toThrow(
      /the log file .*missing\/app\.log cannot be opened: ENOENT/,
    );
    const file = folder.join('link.log');
    const target = folder.join('target.log');
    symlinkSync(target, file);
    const destination = new LogDestination({ file });
    unlinkSync(file);
    symlinkSync(folder.join('missing', 'app.log'), file);
    expect(() => destination.reopen()).toThrow('cannot be opened');
    destination.write('goes on\n');
    expect(readFileSync(target, 'utf8')).toBe('goes on\n');
  });

  test('on a full disk: lines wait up to the bound, later ones are dropped and counted when there is room', () => {
    const file = folder.join('full.log');
    symlinkSync('/dev/full', file);
    const dropped: number[] = [];
    const destination = new LogDestination({ file, maxBytes: 30, dropped: (lines) => dropped.push(lines) });
    for (let line = 0; line < 10; line++) destination.write(`line ${line} ..\n`); // 10 bytes each
    destination.flush();
    expect(dropped).toEqual([]);
    unlinkSync(file);
    destination.reopen();
    expect(dropped).toEqual([7]);
    destination.write('after\n');
    expect(readFileSync(file, 'utf8')).toBe('line 0 ..\nline 1 ..\nline 2 ..\nafter\n');
    destination.reopen();
    expect(dropped).toEqual([7]);
  });
});

describe('a reader that stalls', () => {
  test('gets all lines up to the bound, whole and in order, as soon as it reads again', async () => {
    const file = fifo('stalled');
    const reader = openSync(file, NONBLOCK);
    const told: number[] = [];
    const destination = new LogDestination({ file, maxBytes: 200_000, dropped: (lines) => told.push(lines) });
    const lines = Array.from({ length: 500 }, (_, number) => `${String(number).padStart(4, '0')}${'x'.repeat(995)}\n`);
    for (const line of lines) destination.write(line); // the pipe takes 65536 bytes
    let text = '';
    while (told.length === 0) {
      text += drain(reader);
      await delay(5);
    }
    text += drain(reader);
    closeSync(reader);
    const got = text.split('\n').slice(0, -1);
    expect(got).toEqual(lines.slice(0, got.length).map((line) => line.slice(0, -1)));
    expect(got.length).toBeGreaterThan(200);
    expect(told).toEqual([500 - got.length]);
  });

  test('holds flush() up for a bounded time only', () => {
    const file = fifo('unread');
    const reader = openSync(file, NONBLOCK);
    const destination = new LogDestination({ file });
    for (let line = 0; line < 100; line++) destination.write(`${'x'.repeat(999)}\n`);
    const before = performance.now();
    destination.flush();
    expect(performance.now() - before).toBeLessThan(3000);
    const room = drain(reader).length;
    expect(room).toBeLessThanOrEqual(65_536);
    destination.flush();
    expect(room + drain(reader).length).toBe(100_000);
    closeSync(reader);
  });
});

test('a reader that is gone costs nothing, and the next one gets what waits', async () => {
  const file = fifo('gone');
  const first = openSync(file, NONBLOCK);
  const destination = new LogDestination({ file });
  closeSync(first);
  destination.write('kept\n'); // EPIPE
  const second = openSync(file, NONBLOCK);
  let text = '';
  while (text === '') {
    await delay(10);
    text = drain(second);
  }
  closeSync(second);
  expect(text).toBe('kept\n');
});

describe('stderr of a process', () => {
  interface Said {
    ticks: number;
    longest: number;
    kind: string;
  }

  /** spec/daemon/programs/log-to-stderr.ts, with a pipe of the shell's or a socket of Node's as its stderr. */
  function start(kind: 'pipe' | 'socket', args: string[], reader: string): ChildProcess {
    const program = [process.execPath, '--import', 'tsx', join(__dirname, 'programs/log-to-stderr.ts'), ...args];
    if (kind === 'socket') return spawn(program[0] as string, program.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    const script = `exec 3>&1 4<&0; { "$@" 2>&1 >&3 3>&- 4<&-; echo "exit $?" >&3; } | ${reader}`;
    return spawn('bash', ['-c', script, 'bash', ...program], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  async function outputOf(stream: Readable): Promise<string> {
    let text = '';
    for await (const piece of stream.setEncoding('utf8')) text += String(piece);
    return text;
  }

  function reportIn(text: string): Said {
    return JSON.parse(/^\{"ticks".*$/m.exec(text)?.[0] ?? 'null') as Said;
  }

  const another = process.geteuid?.() === 0 ? [['exit', '65534']] : []; // only root can leave its pipe to another user

  test.each([['return', ''], ['exit', ''], ...another])(
    'a pipe that nobody reads neither blocks it nor keeps it from ending (%s %s)',
    async (...args) => {
      const child = start('pipe', args, '{ exec 5<&0; cat <&4 > /dev/null; }'); // holds the pipe until its own input ends
      let text = '';
      for await (const piece of (child.stdout as Readable).setEncoding('utf8')) {
        text += String(piece);
        if (text.includes('exit ')) child.stdin?.end();
      }
      expect(reportIn(text)).toMatchObject({ ticks: 10, kind: 'pipe' });
      expect(reportIn(text).longest).toBeLessThan(1000);
      expect(text).toContain(`exit ${args[0] === 'exit' ? 3 : 0}`);
    },
  );

  test('a reader that is gone does not end it', async () => {
    const child = start('pipe', ['return'], 'true');
    const text = await outputOf(child.stdout as Readable);
    expect(reportIn(text)).toMatchObject({ ticks: 10, kind: 'pipe' });
    expect(text).toContain('exit 0');
  });

  test('a socket that nobody reads, as of a stalled journal, neither blocks it nor keeps it from ending', async () => {
    const child = start('socket', ['exit'], '');
    const exited = once(child, 'exit');
    const text = await outputOf(child.stdout as Readable);
    expect(await exited).toEqual([3, null]);
    child.stderr?.destroy();
    const said = reportIn(text);
    expect(said).toMatchObject({ ticks: 10, kind: 'socket' });
    expect(said.longest).toBeLessThan(1000);
  });
});

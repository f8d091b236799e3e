// What workers write to stdout and stderr, as lines of the arbiter's log.

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { answersOf, commands, logLines, until, type Served } from './served.ts';

const command = commands();

/** What an application says, by request. */
const TALKS = `
  const write = (text, stream = 'stdout') => new Promise((resolve) => process[stream].write(text, resolve));
  app.get('/pieces', async () => {
    await write('a line '); await delay(30); await write('in pieces: gr\\u00fc'.slice(0, -1));
    const bytes = Buffer.from('\\u00fc\\u00dfe');
    await write(bytes.subarray(0, 1)); await delay(30); await write(bytes.subarray(1)); await write('\\nand another\\n');
    return pid();
  });
  app.get('/both', async () => { await write('out\\n'); await write('err\\n', 'stderr'); return pid(); });
  app.get('/blank', async () => { await write('before\\n\\n\\r\\nafter\\r\\n'); return pid(); });
  app.get('/dies', async () => {
    await write('whole\\nwithout an end'); await write('last words', 'stderr');
    process.kill(process.pid, 'SIGKILL'); await delay(10_000);
  });
  app.get('/long', async () => { await write('l'.repeat(150_000) + '\\nshort\\n'); return pid(); });
  app.get('/controls', async () => {
    await write('bell \\x07 escape \\x1b[31m nul \\0 del \\x7f tab \\t quote " backslash \\\\ next \\u2028 bad ');
    await write(Buffer.from([0xff, 0x0a])); return pid();
  });
  app.get('/pino', async () => {
    await write('{"level":30,"time":1700000000000,"pid":1,"name":"mine","msg":"by pino"}\\n');
    await write('{"level":50,"time":1700000000001,"msg":"on stderr"}\\n', 'stderr');
    await write('{"level":"high","msg":"not by pino"}\\n{"level":30, broken\\n');
    return pid();
  });
  app.get('/flood', async () => {
    for (let i = 0; i < 300; i++) {
      const line = process.pid + ' ' + i + ' ' + 'x'.repeat(i * 7) + '\\n';
      const at = Math.floor(line.length / 2);
      await write(line.slice(0, at)); if (i % 50 === 0) await delay(1); await write(line.slice(at));
    }
    return pid();
  });
`;

interface Said {
  worker: unknown;
  stream: unknown;
  msg: unknown;
}

describe.each(['spawn', 'fork'])('by method %s:', (method) => {
  const serve = (...args: string[]): Promise<Served> =>
    command.serve(command.write(`${method}.mjs`, TALKS), ['--method', method, ...args]);

  /** What the log has of a worker's output, when so many lines have come. */
  async function said({ process }: Served, lines: number): Promise<Said[]> {
    const all = (): Said[] =>
      logLines(process.stderr)
        .filter((line) => 'stream' in line)
        .map(({ worker, stream, msg }) => ({ worker, stream, msg }));
    await until(`${lines} lines`, () => all().length >= lines);
    return all();
  }

  test('a line that is written in pieces, even of a character, is one line', async () => {
    const served = await serve();
    const worker = Number(await served.ask('/pieces'));
    expect(await said(served, 2)).toEqual([
      { worker, stream: 'stdout', msg: 'a line in pieces: grüße' },
      { worker, stream: 'stdout', msg: 'and another' },
    ]);
  });

  test('each stream has its name and its level; empty lines are left out', async () => {
    const served = await serve();
    const worker = Number(await served.ask('/both'));
    const both = await said(served, 2);
    expect(both).toHaveLength(2);
    expect(both).toContainEqual({ worker, stream: 'stdout', msg: 'out' });
    expect(both).toContainEqual({ worker, stream: 'stderr', msg: 'err' });
    const levels = logLines(served.process.stderr).filter(({ msg }) => msg === 'out' || msg === 'err');
    expect(new Map(levels.map(({ msg, level }) => [msg, level]))).toEqual(
      new Map([
        ['out', 30],
        ['err', 40],
      ]),
    );
    await served.ask('/blank');
    expect((await said(served, 4)).slice(2).map(({ msg }) => msg)).toEqual(['before', 'after']);
  });

  test('of a worker that dies, what it has not ended comes too', async () => {
    const served = await serve();
    const worker = Number(await served.ask('/pid'));
    await served.ask('/dies').catch(() => {});
    const words = await said(served, 3);
    expect(words).toHaveLength(3);
    for (const [stream, msg] of [
      ['stdout', 'whole'],
      ['stdout', 'without an end'],
      ['stderr', 'last words'],
    ]) {
      expect(words).toContainEqual({ worker, stream, msg });
    }
  });

  test('a long line comes in pieces of 64 KiB, and the next one by itself', async () => {
    const served = await serve();
    await served.ask('/long');
    const words = (await said(served, 4)).map(({ msg }) => String(msg));
    expect(words.map(({ length }) => length)).toEqual([65_536, 65_536, 18_928, 5]);
    expect(words.slice(0, 3).join('')).toBe('l'.repeat(150_000));
  });

  test('control characters arrive escaped, bytes that are no UTF-8 as U+FFFD', async () => {
    const served = await serve();
    await served.ask('/controls');
    expect((await said(served, 1)).map(({ msg }) => msg)).toEqual([
      'bell \\x07 escape \\x1b[31m nul \\x00 del \\x7f tab \t quote " backslash \\ next \\u2028 bad \ufffd',
    ]);
  });

  test('lines that are pino’s own pass as they are; what only looks like them does not', async () => {
    const served = await serve();
    await served.ask('/pino');
    expect((await said(served, 2)).map(({ msg }) => msg)).toEqual([
      '{"level":"high","msg":"not by pino"}',
      '{"level":30, broken',
    ]);
    await served.process.says(/on stderr"}\n/);
    const lines = served.process.stderr.split('\n');
    expect(lines).toContain('{"level":30,"time":1700000000000,"pid":1,"name":"mine","msg":"by pino"}');
    expect(lines).toContain('{"level":50,"time":1700000000001,"msg":"on stderr"}');
  });

  test('lines of two workers that write at once are never mixed, and none is missing', async () => {
    const served = await serve('--workers', '2');
    const pids = await served.pids();
    const floods: Promise<string>[] = [];
    await answersOf(pids, async () => {
      floods.push(served.ask('/flood'));
      await until('a flood', async () => {
        const { workers } = await served.status();
        return workers.filter(({ active, requests }) => active + requests > 0).length === floods.length;
      });
      return '0';
    });
    const [one, other] = await Promise.all(floods);
    expect(new Set([one, other])).toEqual(new Set(pids.map(String)));
    const words = await said(served, 600);
    expect(words).toHaveLength(600);
    for (const pid of pids) {
      expect(words.filter(({ worker }) => worker === pid).map(({ msg }) => msg)).toEqual(
        Array.from({ length: 300 }, (_, i) => `${pid} ${i} ${'x'.repeat(i * 7)}`),
      );
    }
  });

  test('--out-file has the lines of stdout as they are, the log those of stderr; both are reopened', async () => {
    const out = command.name('.out');
    const served = await serve('--out-file', out);
    const worker = Number(await served.ask('/both'));
    expect(await said(served, 1)).toEqual([{ worker, stream: 'stderr', msg: 'err' }]);
    await until('its line', () => readFileSync(out, 'utf8') === 'out\n');
    renameSync(out, `${out}.1`);
    served.process.signal('SIGUSR1');
    await until('a new file', () => existsSync(out));
    await served.ask('/both');
    await until('its line', () => readFileSync(out, 'utf8') === 'out\n');
    expect(readFileSync(`${out}.1`, 'utf8')).toBe('out\n');
  });

  test('what the application says while it loads is in the log, also where it does not start', async () => {
    const module = command.write(`${method}-says.mjs`, "console.log('loading'); throw new Error('no database');");
    const given = ['--method', method, '--listen', `unix:${command.name('.sock')}`];
    const { code, stderr } = await command.run(['serve', module, ...given]);
    expect(code).toBe(3);
    expect(logLines(stderr)).toContainEqual(expect.objectContaining({ stream: 'stdout', msg: 'loading' }));
  });
});

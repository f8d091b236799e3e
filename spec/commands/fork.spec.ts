// What an application sees of `--method fork`: the signals of a fork, randomness, connections from before it, a missing addon.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { SpecProcess } from '../support/process.ts';
import { answersOf, ask, childrenOf, commands, logLines, type Served } from './served.ts';

const command = commands();
const root = join(__dirname, '../..');

/** Notes what is heard, and the end of each receiver. */
const notes = (file: string): string => `
  const note = (...words) => appendFileSync('${file}', words.join(' ') + '\\n');
  note('loaded', process.pid);
  for (const [name, signal] of Object.entries(signals)) {
    if (name.startsWith('request') || name.startsWith('got')) continue;
    signal.connect(async ({ pid, inWorker = '' }) => {
      note(name, inWorker, process.pid === pid ? pid : 'another pid');
      await delay(20);
      note(name, inWorker, 'done', process.pid);
    });
  }
  signals.request_started.connect(() => note('request', process.pid));
`;

const linesOf = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));

describe('signals', () => {
  test('fork: in the zygote and in the worker, each awaited before the next thing', async () => {
    const file = command.name('.notes');
    const served = await command.serve(command.write('notes.mjs', notes(file)), ['--method', 'fork']);
    const worker = Number(await served.ask('/pid'));
    const [zygote] = childrenOf(served.process.pid);
    expect(childrenOf(zygote as number)).toEqual([worker]);
    await served.process.stop('SIGTERM');
    const lines = linesOf(file);
    const of = (pid: unknown): string[] => lines.filter((line) => line.endsWith(String(pid)));
    expect(of(zygote)).toEqual([
      `loaded ${zygote}`,
      `before_fork ${zygote}`,
      `before_fork done ${zygote}`,
      `after_fork false ${zygote}`,
      `after_fork false done ${zygote}`,
    ]);
    expect(of(worker)).toEqual([
      `after_fork true ${worker}`,
      `after_fork true done ${worker}`,
      `worker_started ${worker}`,
      `worker_started done ${worker}`,
      `request ${worker}`,
      `worker_stopping ${worker}`,
      `worker_stopping done ${worker}`,
    ]);
    expect(lines.indexOf(`before_fork done ${zygote}`)).toBeLessThan(lines.indexOf(`after_fork true ${worker}`));
    expect(lines).toHaveLength(12);
  });

  test('spawn: the worker’s own, and none of a fork', async () => {
    const file = command.name('.notes');
    const served = await command.serve(command.write('notes.mjs', notes(file)), ['--method', 'spawn']);
    const worker = Number(await served.ask('/pid'));
    await served.process.stop('SIGTERM');
    expect(linesOf(file)).toEqual([
      `loaded ${worker}`,
      `worker_started ${worker}`,
      `worker_started done ${worker}`,
      `request ${worker}`,
      `worker_stopping ${worker}`,
      `worker_stopping done ${worker}`,
    ]);
  });
});

test('workers have their own randomness, also where the application has drawn some or kept a reference before', async () => {
  const body = `
    const { randomUUID, randomInt, randomBytes } = await import('node:crypto');
    const { random } = Math; // a module of the application that keeps it
    randomUUID(); randomInt(1e9); Math.random();
    const many = (draw) => Array.from({ length: 300 }, () => String(draw()));
    app.get('/random', () => json({
      random: many(() => Math.random()), kept: many(() => random()), uuid: many(() => randomUUID()),
      int: many(() => randomInt(2 ** 47)), bytes: many(() => randomBytes(8).toString('hex')),
    }));`;
  const served = await command.serve(command.write('random.mjs', body), ['--method', 'fork', '--workers', '4']);
  const pids = await served.pids();
  const drawn: Record<string, string[]>[] = [];
  await answersOf(pids, async () => {
    drawn.push(JSON.parse(await served.ask('/random')) as Record<string, string[]>);
    return '0';
  });
  expect(drawn).toHaveLength(4);
  for (const kind of ['random', 'kept', 'uuid', 'int', 'bytes']) {
    const values = drawn.flatMap((all) => all[kind] as string[]);
    expect({ kind, values: values.length, different: new Set(values).size }).toEqual({
      kind,
      values: 1200,
      different: 1200,
    });
  }
});

describe('a connection that the application opens while it loads', () => {
  let database: Server;
  let path: string;
  beforeAll(async () => {
    path = command.name('.database');
    database = createServer(() => {});
    await new Promise<void>((resolve) => database.listen(path, resolve));
  });
  afterAll(() => database.close());

  const CONNECTS = (): string => `
    const { connect } = await import('node:net');
    const connection = connect('${path}');
    await new Promise((resolve) => connection.once('connect', resolve));`;
  const serve = (...args: string[]): Promise<Served> =>
    command.serve(command.write('connects.mjs', CONNECTS()), ['--method', 'fork', ...args]);
  const warnings = ({ process }: Served): unknown[] =>
    logLines(process.stderr).flatMap(({ level, msg }) => (level === 40 ? [msg] : []));

  test.each([[[]], [['--fork-guard', 'warn']]])(
    'is told with its peer and where it was opened: once (%j)',
    async (args) => {
      const served = await serve('--workers', '2', ...args);
      await served.process.says(/opened a connection.*\n/);
      const [message, ...more] = warnings(served);
      expect(more).toEqual([]);
      expect(message).toMatch(/opened a connection while it was loaded, before the fork/);
      expect(message).toMatch(
        new RegExp(`unix:${path} \\(descriptor \\d+\\), opened\n +at .*connects\\.mjs:\\d+:\\d+`),
      );
      expect(await served.ask('/pid')).toMatch(/^\d+$/);
    },
  );

  test('is no reason for a word with --fork-guard off', async () => {
    const served = await serve('--fork-guard', 'off');
    expect(warnings(served)).toEqual([]);
    expect(await served.ask('/pid')).toMatch(/^\d+$/);
  });

  test('is a reason not to start with --fork-guard refuse', async () => {
    const socket = command.name('.sock');
    const args = ['--method', 'fork', '--listen', `unix:${socket}`, '--fork-guard', 'refuse'];
    const { code, stderr } = await command.run(['serve', command.write('connects.mjs', CONNECTS()), ...args]);
    expect(code).toBe(3);
    expect(stderr).toMatch(new RegExp(`opened a connection[^]*unix:${path} [^]*connects\\.mjs:\\d+[^]*worker_started`));
    expect(existsSync(socket)).toBe(false);
  });

  test('with --fork-guard refuse, a reload to such code leaves the workers there serving', async () => {
    const file = command.write('reloads.mjs', '');
    const served = await command.serve(file, ['--method', 'fork', '--fork-guard', 'refuse']);
    const before = await served.pids();
    command.write('reloads.mjs', CONNECTS());
    served.process.signal('SIGHUP');
    await served.process.says(/not reloaded.*\n/);
    expect(served.process.stderr).toMatch(/opened a connection while it was loaded/);
    expect(await served.pids()).toEqual(before);
    expect(await served.ask('/pid')).toBe(String(before[0]));
  });

  test('is closed by a receiver of before_fork: nothing is said', async () => {
    const body = `${CONNECTS()}
      signals.before_fork.connect(() => new Promise((resolve) => connection.destroy().once('close', resolve)));`;
    const args = ['--method', 'fork', '--fork-guard', 'refuse'];
    const served = await command.serve(command.write('closes.mjs', body), args);
    expect(await served.ask('/pid')).toMatch(/^\d+$/);
    expect(warnings(served)).toEqual([]);
  });
});

describe('where the addon is not built and there is no compiler', () => {
  let cli: string;
  let environ: Record<string, string>;
  const started: SpecProcess[] = [];

  beforeAll(() => {
    const copy = command.name('.copy');
    for (const name of ['dist', 'package.json', 'scripts/build-addon.mjs', 'lib/prefork/addon']) {
      cpSync(join(root, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const empty = join(copy, 'empty');
    mkdirSync(empty);
    cli = join(copy, 'dist/cli.js');
    environ = { PATH: empty, CC: '', XDG_RUNTIME_DIR: command.folder };
  });
  afterEach(() => Promise.all(started.splice(0).map((one) => one.stop('SIGKILL'))));

  function start(...args: string[]): SpecProcess {
    const module = command.write('simple.mjs', '');
    const one = new SpecProcess(process.execPath, [cli, 'serve', module, ...args], { environ });
    started.push(one);
    return one;
  }

  test('--method fork says what to install and exits with 1, leaving nothing', async () => {
    const folder = command.name('.folder');
    mkdirSync(folder);
    const process = start('--method', 'fork', '--listen', `unix:${folder}/s`, '--pid-file', `${folder}/pid`);
    expect(await process.finished).toEqual({ code: 1, signal: null });
    expect(process.stderr).toMatch(/there is no C compiler.*apt-get install gcc libc6-dev, then npm rebuild postfork/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--method spawn works, and all that goes with it', async () => {
    const path = command.name('.sock');
    const process = start('--method', 'spawn', '--listen', `unix:${path}`);
    await process.says(/"serving /);
    expect(await ask(command.client(`unix:${path}`), '/pid')).toMatch(/^\d+$/);
    process.signal('SIGHUP');
    await process.says(/"msg":"reloaded"/);
    expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

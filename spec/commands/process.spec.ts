// What the process is: its pid file, its mask and its folder, by each method.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { commands, type Served } from './served.ts';

const command = commands();

describe.each(['single', 'spawn', 'fork'])('by method %s:', (method) => {
  const serve = (body: string, ...args: string[]): Promise<Served> =>
    command.serve(command.write(`${method}.mjs`, body), ['--method', method, ...args]);

  describe('--pid-file', () => {
    test('holds the process id to signal, before the application is loaded; removed at the end', async () => {
      const file = command.name('.pid');
      const early = `const text = readFileSync('${file}', 'utf8'); app.get('/early', () => text);`;
      const { process, ask } = await serve(early, '--pid-file', file);
      expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
      expect(await ask('/early')).toBe(`${process.pid}\n`);
      expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(existsSync(file)).toBe(false);
    });

    test('a live one is refused and stays', async () => {
      const file = command.name('.pid');
      writeFileSync(file, `${process.pid}\n`);
      const path = command.name('.sock');
      const given = ['--method', method, '--pid-file', file, '--listen', `unix:${path}`];
      const { code, stderr } = await command.run(['serve', command.write(`${method}.mjs`, ''), ...given]);
      expect(code).toBe(1);
      expect(stderr).toMatch(`process ${process.pid} of the pid file ${file} is running`);
      expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
      expect(existsSync(path)).toBe(false);
    });

    test('one of a process that is no more is replaced', async () => {
      const file = command.name('.pid');
      const ended = await command.serve(command.write(`${method}.mjs`, ''), ['--method', method, '--pid-file', file]);
      await ended.process.stop('SIGKILL');
      expect(readFileSync(file, 'utf8')).toBe(`${ended.process.pid}\n`);
      const { process } = await serve('', '--pid-file', file);
      expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
    });
  });

  test('TERM while the application is loaded ends it with 0, and leaves nothing', async () => {
    const folder = command.name('.folder');
    mkdirSync(folder);
    const loading = command.name('.loading');
    const module = command.write(`${method}-loads.mjs`, `writeFileSync('${loading}', ''); await delay(60_000);`);
    const files = ['--listen', `unix:${folder}/s`, '--pid-file', `${folder}/pid`, '--control', `${folder}/c`];
    const process = command.start(['serve', module, '--method', method, ...files]);
    await process.until(() => existsSync(loading));
    process.signal('SIGTERM');
    expect(await process.finished).toEqual({ code: 0, signal: null });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--umask is seen in the files that the application makes', async () => {
    const [early, late] = [command.name('.early'), command.name('.late')];
    const body = `writeFileSync('${early}', ''); app.get('/', () => { writeFileSync('${late}', ''); return 'made'; });`;
    const { ask } = await serve(body, '--umask', '027');
    await ask('/');
    expect([early, late].map((file) => (statSync(file).mode & 0o777).toString(8))).toEqual(['640', '640']);
  });

  test('--chdir is where the application is loaded from, and all paths begin', async () => {
    const folder = command.name('.folder');
    mkdirSync(folder);
    command.write(
      join(basename(folder), 'here.mjs'),
      'const early = process.cwd(); app.get("/", () => json([early, process.cwd()]));',
    );
    const args = [
      '--method',
      method,
      '--chdir',
      folder,
      '--pid-file',
      'pid',
      '--log-file',
      'log',
      '--listen',
      'unix:s',
    ];
    const process = command.start(['serve', 'here.mjs', ...args]);
    await process.until(() => existsSync(join(folder, 's')));
    const client = command.client(`unix:${join(folder, 's')}`);
    const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } });
    expect(await response.json()).toEqual([folder, folder]);
    expect(readFileSync(join(folder, 'pid'), 'utf8')).toBe(`${process.pid}\n`);
    expect(readFileSync(join(folder, 'log'), 'utf8')).toMatch(/"serving here\.mjs"/);
  });
});

test.each([
  [['--umask', '9'], /octal digits are expected/],
  [['--chdir', '/nowhere/at/all'], /ENOENT.*\/nowhere\/at\/all/],
  [['--pid-file', '/nowhere/at/all/pid'], /pid file .* cannot be written/],
  [['--log-file', '/nowhere/at/all/log'], /log file .* cannot be opened/],
  [['--workers', '0'], /a number from 1 to 1024/],
  [['--scaling', 'elastic'], /static, dynamic, ondemand/],
  [['--fork-guard', 'maybe'], /warn, refuse, off/],
])('%j is refused with exit 1 and what is wrong', async (args, message) => {
  const path = command.name('.sock');
  const given = ['--listen', `unix:${path}`, ...args];
  const { code, stderr } = await command.run(['serve', command.write('simple.mjs', ''), ...given]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(existsSync(path)).toBe(false);
});

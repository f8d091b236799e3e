// `postfork dev` as a process: its page, its reloads, its end.

import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { begin, send } from '../support/http.ts';
import { type ProcessOptions, SpecProcess } from '../support/process.ts';
import { commands, familyOf, isAlive, until } from './served.ts';
import { applicationText } from './programs.ts';

const all = commands();
const CLI = join(__dirname, '../../dist/cli.js');

interface Dev {
  readonly process: SpecProcess;
  readonly port: number;
  readonly url: string;
  /** The text of the answer, with its status where that is not 200. */
  readonly ask: (target: string, accept?: string) => Promise<string>;
}

/** A folder of its own, with these files. Applications are named app.*: their texts are put into a module. */
function project(files: Readonly<Record<string, string>>): {
  path: string;
  write: (name: string, text: string) => void;
} {
  const path = all.name('');
  const write = (name: string, text: string): void => writeFileSync(join(path, name), text);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    write(name, /^app\.\w+$/.test(name) ? applicationText(text) : text);
  }
  return { path, write };
}

async function develop(cwd: string, args: string[] = ['app.mjs'], options: ProcessOptions = {}): Promise<Dev> {
  const environ = { TMPDIR: all.folder, NODE_ENV: '', ...options.environ };
  const process = all.start(['dev', '--port', '0', ...args], { ...options, cwd, environ });
  const [, url = '', port] = await process.says(/^(http:\/\/127\.0\.0\.1:(\d+)\/\S*) is /m, 'stdout');
  const ask = async (target: string, accept = '*/*'): Promise<string> => {
    const { status, body } = await send(Number(port), { path: target, headers: { Accept: accept } });
    return status === 200 ? body.toString() : `${status}\n${body.toString()}`;
  };
  return { process, port: Number(port), url, ask };
}

const WORD = `const { word } = await import('./word.mjs'); app.get('/word', () => word);`;

test('serves at the URL that it says', async () => {
  const { path } = project({ 'app.mjs': "console.log('loaded'); console.error('with a warning');" });
  const { process, ask, url } = await develop(path);
  expect(url).toMatch(/\/$/);
  expect(await ask('/pid')).toMatch(/^\d+$/);
  await process.says(/^loaded$/m, 'stdout');
  await process.says(/^with a warning$/m);
  await process.says(/^\d\d:\d\d:\d\d GET \/pid 200 .* B$/m, 'stdout');
});

test('TypeScript, and below a path', async () => {
  const { path } = project({ 'app.ts': "const text: string = 'typed'; app.get('/', () => text);" });
  const { ask, url } = await develop(path, ['app.ts', '--mount', '/app']);
  expect(url).toMatch(/\/app$/);
  expect(await ask('/app')).toBe('typed');
});

test('a program that listens by itself', async () => {
  const program = (word: string): string =>
    `import { createServer } from 'node:http'; createServer((_, res) => res.end('${word}')).listen(8080);`;
  const { path, write } = project({ 'server.mjs': program('one') });
  const { ask } = await develop(path, ['--run', 'server.mjs']);
  expect(await ask('/')).toBe('one');
  write('server.mjs', program('two'));
  await until('the answer is two', async () => (await ask('/')) === 'two');
});

describe('a change', () => {
  test('of a module that is imported is in the next answer', async () => {
    const { path, write } = project({ 'app.mjs': WORD, 'word.mjs': "export const word = 'zero';" });
    const { process, ask } = await develop(path);
    expect(await ask('/word')).toBe('zero');
    for (const word of ['one', 'two', 'three']) {
      const before = process.stderr.length;
      write('word.mjs', `export const word = '${word}';`);
      await until(`the answer is ${word}`, async () => (await ask('/word')) === word);
      expect(process.stderr.slice(before)).toMatch(/reloaded in \d+ ms: word\.mjs/);
    }
  });

  test('is seen in the whole package, in new folders too, and nowhere in node_modules', async () => {
    const { path, write } = project({
      'package.json': '{ "type": "module" }',
      'src/main.mjs': "export default async () => (await import('../config/now.mjs')).default;",
      'config/now.mjs': "export default 'old';",
      'node_modules/x/index.js': '',
      '.cache/x.js': '',
    });
    const { process, ask } = await develop(path, ['src/main.mjs']);
    expect(await ask('/')).toBe('old');
    write('node_modules/x/index.js', '//');
    write('.cache/x.js', '//');
    write('notes.txt', '');
    write('config/now.mjs', "export default 'new';");
    await until('the answer is new', async () => (await ask('/')) === 'new');
    mkdirSync(join(path, 'more'));
    write('more/later.mjs', '');
    await process.says(/reloaded in \d+ ms: (?:more|later\.mjs)/);
    rmSync(join(path, 'more'), { recursive: true });
    expect(process.stderr.match(/reloaded.*/g)?.join()).not.toMatch(/index\.js|x\.js|notes/);
  });

  test('is seen where a link leads to', async () => {
    const { path, write } = project({
      'real/app.mjs': '',
      'real/word.mjs': "export const word = 'old';",
      'here/package.json': '{}',
    });
    write('real/app.mjs', applicationText(WORD));
    symlinkSync('../real/app.mjs', join(path, 'here/link.mjs'));
    const { ask } = await develop(join(path, 'here'), ['link.mjs']);
    expect(await ask('/word')).toBe('old');
    write('real/word.mjs', "export const word = 'new';");
    await until('the answer is new', async () => (await ask('/word')) === 'new');
  });

  test('of any file counts in a folder of --watch', async () => {
    const { path, write } = project({
      'app/app.mjs': applicationText(
        "const text = readFileSync('templates/page.txt', 'utf8'); app.get('/', () => text);",
      ),
      'app/package.json': '{}',
      'templates/page.txt': 'old',
    });
    const { ask } = await develop(path, ['app/app.mjs', '--watch', 'templates']);
    expect(await ask('/')).toBe('old');
    write('templates/page.txt', 'new');
    await until('the answer is new', async () => (await ask('/')) === 'new');
  });

  test('does not break off what runs, for a while', async () => {
    const { path, write } = project({ 'app.mjs': WORD, 'word.mjs': "export const word = 'old';" });
    const { process, port, ask } = await develop(path);
    const go = all.name('.go');
    const held = send(port, `/hold?until=${go}`);
    await ask('/word');
    write('word.mjs', "export const word = 'new';");
    await process.says(/reloaded/);
    writeFileSync(go, '');
    expect(await held).toMatchObject({ status: 200, complete: true });
  });
});

test('a handler that never returns is given up after a change, and at the end', async () => {
  const { path, write } = project({
    'app.mjs': `${WORD} app.get('/loop', () => { console.error('it loops'); for (;;); });`,
    'word.mjs': "export const word = 'old';",
  });
  const { process, port, ask } = await develop(path);
  expect(await ask('/word')).toBe('old');
  const looping = send(port, { path: '/loop' });
  await process.says(/^it loops$/m);
  write('word.mjs', "export const word = 'new';");
  await until('the answer is new', async () => (await ask('/word')) === 'new');
  expect(await looping).toMatchObject({ status: 502 });
  const last = send(port, { path: '/loop' }).catch(() => undefined);
  await process.says(/^it loops$[^]*^it loops$/m);
  await process.stop('SIGINT'); // by force after 10 seconds
  await last;
  expect(await process.exited).toEqual({ code: 0, signal: null });
});

test('arguments behind -- are those of a program', async () => {
  const { path } = project({
    'server.mjs': `import { createServer } from 'node:http';
      createServer((_, res) => res.end(process.argv.slice(2).join())).listen(8080);`,
  });
  const { ask } = await develop(path, ['--run', 'server.mjs', '--', 'a', '--b']);
  expect(await ask('/')).toBe('a,--b');
  const { code, stderr } = await all.run(['dev', 'app.mjs', '--', 'a'], { cwd: path });
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'postfork: a: arguments are for programs, dev --run\n' });
});

describe('what does not load', () => {
  test('is every page, with its stack, and on the terminal, until it does', async () => {
    const { path, write } = project({ 'app.mjs': WORD, 'word.mjs': "export const word = 'old';" });
    const { process, ask } = await develop(path);
    expect(await ask('/word')).toBe('old');
    write('word.mjs', "\nthrow new Error('<broken>');");
    await process.says(/the application does not load:\nError: <broken>\n\s+at .*word\.mjs:2:7/);
    expect(await ask('/word', 'text/html')).toMatch(
      /^500\n<!doctype html>[^]*<pre>Error: &lt;broken&gt;\n\s+at .*word\.mjs:2:7/,
    );
    expect(await ask('/anything')).toMatch(/^500\n[^]*The application does not load/);
    write('word.mjs', "export const word = 'mended';");
    await until('it is mended', async () => (await ask('/word')) === 'mended');
  });

  test('from the start, in an imported module, for its syntax: the line is shown', async () => {
    const { path, write } = project({ 'app.mjs': WORD, 'word.mjs': 'export const word = ;' });
    const { process, ask } = await develop(path);
    expect(await ask('/')).toMatch(/^500\n[^]*word\.mjs:1\nexport const word = ;\n +\^\n\nSyntaxError: /);
    await process.says(/word\.mjs:1\nexport const word = ;/);
    write('word.mjs', "export const word = 'mended';");
    await until('it is mended', async () => (await ask('/word')) === 'mended');
  });

  test.each([['from the start'], ['after a change']])(
    'because its import never ends, %s, is given up soon when it changes',
    async (when) => {
      const endless = "console.error('it loops'); for (;;); export const word = 0;";
      const begins = when === 'from the start' ? endless : "export const word = 'old';";
      const { path, write } = project({ 'app.mjs': WORD, 'word.mjs': begins });
      const { process, ask } = await develop(path);
      if (begins !== endless) {
        await until('it serves', async () => (await ask('/word')) === 'old');
        write('word.mjs', endless);
      }
      await process.says(/^it loops$/m);
      write('word.mjs', "export const word = 'mended';");
      await until('it is mended', async () => (await ask('/word')) === 'mended');
      expect(process.stderr).not.toMatch(/does not load/);
    },
  );

  test('because it ends: its last words are shown', async () => {
    const { path } = project({ 'app.mjs': "console.error('no DATABASE_URL'); process.exit(7);" });
    const { ask } = await develop(path);
    expect(await ask('/')).toMatch(/^500\n[^]*exit code 7\nno DATABASE_URL\n/);
  });
});

describe('an error of a handler', () => {
  const failing = "app.get('/fail', () => { throw new Error('it went wrong'); });";

  test('is a page with its stack, and on the terminal', async () => {
    const { path } = project({ 'app.mjs': failing });
    const { process, ask } = await develop(path);
    expect(await ask('/fail', 'text/html')).toMatch(
      /^500\n<!doctype html>[^]*<pre>Error: it went wrong\n\s+at .*app\.mjs:/,
    );
    await process.says(
      /a request failed: Error: it went wrong\n?.*app\.mjs|a request failed: Error: it went wrong\n\s+at /,
    );
  });

  test('that nobody has caught is one too, at once', async () => {
    const { path } = project({
      'app.mjs': "app.get('/', () => new Promise(() => setTimeout(() => { throw new Error('in a callback'); }, 1)));",
      'server.mjs': `import { createServer } from 'node:http';
        createServer((req, res) => { setTimeout(() => { throw new Error('in a callback'); }, 1); }).listen(8080);`,
    });
    const { process, ask } = await develop(path, ['--run', 'server.mjs']);
    expect(await ask('/', 'text/html')).toMatch(
      /^500\n<!doctype html>[^]*<pre>Error: in a callback\n\s+at .*server\.mjs:/,
    );
    await process.says(/a request failed: Error: in a callback\n\s+at /);
    const second = await develop(path);
    expect(await second.ask('/')).toBe('500\n500 Internal Server Error\n'); // its handler heeds nothing
  });

  test('is the page that the application makes of it', async () => {
    const own =
      'app.use(async (request, next) => { const r = await next(request); if (r.error) r.body = "sorry"; r.headers.delete("Content-Length"); return r; });';
    const { path } = project({ 'app.mjs': own + failing });
    const { ask } = await develop(path);
    expect(await ask('/fail')).toBe('500\nsorry');
  });

  test('of a layer is one too, whatever layers are around it', async () => {
    const layers =
      'app.use(async (request, next) => { const r = await next(request); r.headers.set("X-Layer", "a"); return r; });' +
      "app.use((request, next) => { if (request.path === '/layer') throw new Error('<a layer>'); return next(request); });";
    const { path } = project({ 'app.mjs': layers });
    const { ask } = await develop(path);
    expect(await ask('/layer', 'text/html')).toMatch(
      /^500\n<!doctype html>[^]*<pre>Error: &#60;a layer&#62;\n\s+at .*app\.mjs:/,
    );
    expect(await ask('/none', 'text/html')).toMatch(/^404\n<!doctype html>/);
    expect(await ask('/pid', 'text/html')).toMatch(/^\d+$/);
  });

  test('of a layer is the page that a layer around it makes', async () => {
    const layers =
      'app.use(async (request, next) => { const r = await next(request); if (r.error) r.body = "sorry"; return r; });' +
      "app.use(() => { throw new Error('it went wrong'); });";
    const { path } = project({ 'app.mjs': layers });
    const { ask } = await develop(path);
    expect(await ask('/')).toBe('500\nsorry');
  });

  test('shows nothing where NODE_ENV says that this is not development', async () => {
    const { path } = project({ 'app.mjs': failing });
    const { ask } = await develop(path, ['app.mjs'], { environ: { NODE_ENV: 'production' } });
    expect(await ask('/fail', 'text/html')).toBe('500\n500 Internal Server Error\n');
  });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s ends all of it, what runs too, and leaves nothing',
  async (signal) => {
    const { path } = project({
      'app.mjs':
        "app.get('/endless', () => new HttpResponse((async function* () { yield 'a'; await new Promise(() => {}); })()));",
    });
    const temporary = all.name('');
    mkdirSync(temporary);
    const { process, port } = await develop(path, ['app.mjs'], { environ: { TMPDIR: temporary } });
    const answer = await begin(port, '/endless');
    expect(await answer.piece()).toBe('a');
    const family = familyOf(process.pid);
    expect(family.length).toBeGreaterThan(1);
    expect(await process.stop(signal)).toEqual({ code: 0, signal: null });
    expect(family.filter(isAlive)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  },
);

test('what a killed one has left is removed by the next, and nothing of one that lives', async () => {
  const temporary = all.name('');
  mkdirSync(temporary);
  const environ = { TMPDIR: temporary };
  const { path } = project({ 'app.mjs': '' });
  const killed = await develop(path, ['app.mjs'], { environ });
  await killed.ask('/pid');
  await killed.process.stop('SIGKILL');
  const [stale] = readdirSync(temporary);
  expect(stale).toMatch(/^postfork-dev-/);
  const first = await develop(path, ['app.mjs'], { environ });
  const second = await develop(path, ['app.mjs'], { environ });
  expect(readdirSync(temporary)).toHaveLength(2);
  expect(readdirSync(temporary)).not.toContain(stale);
  expect(await first.ask('/pid')).toMatch(/^\d+$/);
  expect(await second.ask('/pid')).toMatch(/^\d+$/);
});

test('it ends when nobody reads any more what it says', async () => {
  const { path } = project({ 'app.mjs': '' });
  const piped = new SpecProcess('sh', ['-c', `"${process.execPath}" "${CLI}" dev app.mjs --port 0 | head -1`], {
    cwd: path,
    environ: { TMPDIR: all.folder, NODE_ENV: '' },
  });
  try {
    const [, port] = await piped.says(/127\.0\.0\.1:(\d+)/, 'stdout');
    await send(Number(port), '/pid').catch(() => undefined); // its line in the log is the first that nobody reads
    await piped.finished;
    expect(piped.stderr).not.toMatch(/EPIPE/);
  } finally {
    await piped.stop('SIGKILL');
  }
});

test('a port that is taken is an error, and leaves nothing', async () => {
  const { path } = project({ 'app.mjs': '' });
  const { port } = await develop(path);
  const { code, stderr } = await all.run(['dev', 'app.mjs', '--port', String(port)], { cwd: path });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `postfork: 127.0.0.1:${port} is in use by another program: give another port\n`,
  });
});

test('a file that is not there is an error', async () => {
  const { code, stderr } = await all.run(['dev', 'nowhere.mjs']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^postfork: there is no file .*nowhere\.mjs$/m);
});

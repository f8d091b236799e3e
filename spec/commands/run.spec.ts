// `postfork run`: programs that listen by themselves, served by FastCGI without a changed line.

import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SpecProcess } from '../support/process.ts';
import { answersOf, ask, commands, get, until } from './served.ts';

const all = commands();
const ROOT = join(__dirname, '../..');

const ANSWER = `(req, res) => res.end(JSON.stringify({ url: req.url, pid: process.pid, argv: process.argv.slice(2) }))`;
const LISTENS = `console.log('listening', JSON.stringify(server.address()), server.listening)`;

/** Programs as their authors wrote them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'commonjs.cjs': `
    const http = require('node:http');
    if (require.main !== module) throw new Error('this is not the main module');
    const server = http.createServer(${ANSWER});
    server.listen(3000, () => ${LISTENS});`,
  'module.mjs': `
    import { createServer } from 'node:http';
    import { basename } from 'node:path';
    if (basename(process.argv[1]) !== 'module.mjs') throw new Error('argv[1] is ' + process.argv[1]);
    const server = createServer(${ANSWER});
    server.listen({ port: 3000, host: '127.0.0.1' }, () => ${LISTENS});`,
  'typed.ts': `
    import { createServer, type Server } from 'node:http';
    const server: Server = createServer(${ANSWER});
    server.listen('3000', (): void => ${LISTENS});`,
  'late.mjs': `
    import { createServer } from 'node:http';
    await new Promise((resolve) => setTimeout(resolve, 50));
    const server = createServer();
    server.on('request', ${ANSWER});
    setTimeout(() => server.listen(0).once('listening', () => ${LISTENS}), 50);`,
  'express.cjs': `
    const express = require('express');
    const app = express();
    app.get('/{*any}', ${ANSWER});
    const server = app.listen(process.env.PORT || 3000, () => ${LISTENS});`,
  'koa.cjs': `
    const Koa = require('koa');
    const app = new Koa();
    app.use((context) => { context.body = { url: context.url, pid: process.pid, argv: process.argv.slice(2) }; });
    const server = app.listen(3000, () => ${LISTENS});`,
  'fastify.mjs': `
    import { fastify } from 'fastify';
    const app = fastify();
    app.get('/*', async (request) => ({ url: request.url, pid: process.pid, argv: process.argv.slice(2) }));
    const at = await app.listen({ port: 3000 });
    const { server } = app;
    console.log('listening', JSON.stringify(app.addresses()), server.listening);`,
  'rejects.mjs': `
    import { createServer } from 'node:http';
    createServer(async (req, res) => {
      if (req.url === '/fail') throw new Error('it went wrong');
      if (req.url === '/after') {
        for (let i = 0; i < 20; i++) res.write('x'.repeat(100000));
        res.end();
        throw new Error('thrown behind the end');
      }
      res.end('well');
    }).listen(3000);`,
  'closes.mjs': `
    import { createServer } from 'node:http';
    const server = createServer((req, res) => {
      if (req.url !== '/close') return res.end('open');
      server.close((error) => console.log('closed', error?.code, server.listening, server.address()));
      console.log('closing');
      setTimeout(() => res.end('done'), 50);
    });
    server.listen(3000);`,
  'shuts-down.mjs': `
    import { createServer } from 'node:http';
    const server = createServer((req, res) => res.end(req.url === '/big' ? 'x'.repeat(8_000_000) : String(process.pid)));
    server.listen(3000);
    process.on('SIGTERM', () => {
      console.error('told to stop');
      server.close(() => {
        console.error('closed');
        process.exit(0);
      });
    });`,
  'twice.mjs': `
    import { createServer } from 'node:http';
    const server = createServer((req, res) => res.end('well'));
    const told = [];
    for (const port of [3000, 3000, 70000]) {
      try {
        server.listen(port);
        told.push('listens');
      } catch ({ code }) {
        told.push(code);
      }
    }
    console.log(told.join());`,
  'by-signal.mjs': `
    import { createServer } from 'node:http';
    const abort = new AbortController();
    const server = createServer((req, res) => {
      abort.abort();
      res.end(String(server.listening));
    });
    server.on('close', () => console.log('closed'));
    server.listen({ port: 3000, signal: abort.signal });`,
  'again.mjs': `
    import { createServer } from 'node:http';
    const server = createServer((req, res) => res.end('again'));
    const told = [];
    for (const event of ['close', 'listening']) server.on(event, () => told.push(event));
    server.listen(3000, () => {
      told.length = 0;
      server.close();
      server.listen(3001, () => setImmediate(() => console.log(told.sort().join())));
    });`,
  'twice-free.mjs': `
    import { createServer } from 'node:http';
    const first = createServer((req, res) => res.end('first')).listen(0);
    const second = createServer((req, res) => res.end('second')).listen(0, '127.0.0.1', () =>
      console.log('ports', first.address().port, second.address().port));`,
  'clusters.cjs': `
    const cluster = require('node:cluster');
    if (cluster.isPrimary) cluster.fork();
    else require('node:http').createServer((req, res) => res.end('well')).listen(3000);`,
  'clusters.mjs': `
    import { fork } from 'node:cluster';
    fork();`,
  'wrong.mjs': `import './wrong-import.mjs';`,
  'wrong-import.mjs': 'const a = 1;\nexport const b = ;',
  'silent.mjs': `setInterval(() => {}, 1000);`,
  'ends.mjs': `console.log('nothing to do');`,
  'throws.cjs': `throw new Error('thrown at the start');`,
  'throws.mjs': `throw new Error('thrown at the start');`,
};

let serial = 0;

beforeAll(() => {
  symlinkSync(join(ROOT, 'node_modules'), join(all.folder, 'node_modules'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(all.folder, name), text);
});

interface Run {
  readonly process: SpecProcess;
  /** The JSON that the program answers. */
  readonly asked: (target: string) => Promise<{ url: string; pid: number; argv: string[] }>;
  readonly text: (target: string) => Promise<string>;
  readonly status: (target: string) => Promise<number>;
}

/** Start a program and wait until it serves. Arguments of its own stand behind `--`. */
async function run(program: string, ...args: string[]): Promise<Run> {
  const { process, path } = start(program, ...args);
  await process.says(/"serving /);
  const client = all.client(`unix:${path}`);
  const text = (target: string): Promise<string> => ask(client, target);
  return {
    process,
    text,
    asked: async (target) => JSON.parse(await text(target)) as { url: string; pid: number; argv: string[] },
    status: async (target) => (await client.request(get(target))).status,
  };
}

function start(program: string, ...args: string[]): { process: SpecProcess; path: string } {
  const path = join(all.folder, `${(serial += 1)}.sock`);
  return { path, process: all.start(['run', join(all.folder, program), '--listen', `unix:${path}`, ...args]) };
}

const SINGLE = ['--method', 'single'];

describe('a program', () => {
  test.each([
    ['of CommonJS, the main module', 'commonjs.cjs', '{"address":"::","port":3000,"family":"IPv6"}'],
    ['of ESM, listen({ port, host })', 'module.mjs', '{"address":"127.0.0.1","port":3000,"family":"IPv4"}'],
    ['of TypeScript', 'typed.ts', '{"address":"::","port":3000,"family":"IPv6"}'],
    ['that listens later, on a free port', 'late.mjs', '{"address":"::","port":49152,"family":"IPv6"}'],
    ['of Express', 'express.cjs', '{"address":"::","port":3000,"family":"IPv6"}'],
    ['of Koa', 'koa.cjs', '{"address":"::","port":3000,"family":"IPv6"}'],
    [
      'of Fastify, which listens on every address of localhost',
      'fastify.mjs',
      '[{"address":"127.0.0.1","port":3000,"family":"IPv4"}',
    ],
  ])('%s', async (_title, program, address) => {
    const { process, asked } = await run(program, ...SINGLE, '--', '--verbose', 'x');
    await process.says(/listening .* true/, 'stdout');
    expect(process.stdout).toContain(address);
    expect(await asked('/a%20b?c=d')).toEqual({ url: '/a%20b?c=d', pid: process.pid, argv: ['--verbose', 'x'] });
    expect(await process.stop()).toEqual({ code: 0, signal: null });
  });

  test('really listens with a second server, on another port or a path', async () => {
    const port = await freePort();
    const path = join(all.folder, 'second.sock');
    writeFileSync(
      join(all.folder, 'two.mjs'),
      `import { createServer } from 'node:http';
       createServer((req, res) => res.end('first')).listen(3000);
       createServer((req, res) => res.end('second')).listen(${port}, '127.0.0.1', () => console.log('second listens'));
       createServer((req, res) => res.end('third')).listen('${path}', () => console.log('third listens'));`,
    );
    const { process, text } = await run('two.mjs', ...SINGLE);
    await process.says(/second listens/, 'stdout');
    await process.says(/third listens/, 'stdout');
    expect(await text('/')).toBe('first');
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('second');
  });

  test('really listens with a second server on a free port of its own', async () => {
    const { process, text } = await run('twice-free.mjs', ...SINGLE);
    const [, first, second] = await process.says(/^ports (\d+) (\d+)$/m, 'stdout');
    expect(first).toBe('49152');
    expect(await text('/')).toBe('first');
    expect(await (await fetch(`http://127.0.0.1:${second}/`)).text()).toBe('second');
  });

  test('that closes its server hears of it when its requests have ended', async () => {
    const { process, text } = await run('closes.mjs', ...SINGLE);
    expect(await text('/')).toBe('open');
    expect(await text('/close')).toBe('done');
    await process.says(/closed undefined false null/, 'stdout');
    expect(process.stdout.indexOf('closing')).toBeLessThan(process.stdout.indexOf('closed'));
  });

  test('that listens twice, or on no port, is told so as by Node', async () => {
    const { process, text } = await run('twice.mjs', ...SINGLE);
    await process.says(/^listens,ERR_SERVER_ALREADY_LISTEN,ERR_SOCKET_BAD_PORT$/m, 'stdout');
    expect(await text('/')).toBe('well');
  });

  test('that closes its server and listens again hears of both', async () => {
    const { process, text } = await run('again.mjs', ...SINGLE);
    await process.says(/^close,listening$/m, 'stdout');
    expect(await text('/')).toBe('again');
  });

  test('closes by the AbortSignal that it listens with', async () => {
    const { process, text } = await run('by-signal.mjs', ...SINGLE);
    expect(await text('/')).toBe('false');
    await process.says(/^closed$/m, 'stdout');
  });

  test.each([['single'], ['spawn']])('whose async listener rejects answers 500 and lives on (%s)', async (method) => {
    const { process, text, status } = await run('rejects.mjs', '--method', method);
    expect(await status('/fail')).toBe(500);
    await process.says(/it went wrong/);
    expect(await text('/')).toBe('well');
    expect(process.stderr).not.toContain('outside of any request');
  });
});

// Service managers send SIGTERM to every process.
test.each([['single'], ['spawn'], ['fork']])(
  'a program that exits once its server is closed cuts no answer (%s)',
  async (method) => {
    const { process: command, path } = start('shuts-down.mjs', '--method', method);
    await command.says(/"serving /);
    const client = all.client(`unix:${path}`);
    const worker = Number(await ask(client, '/'));
    const response = await client.request(get('/big'));
    for (const pid of new Set([command.pid, worker])) process.kill(pid, 'SIGTERM');
    await command.says(/told to stop/);
    await until('its socket is gone', () => !existsSync(path));
    expect(command.stderr).not.toMatch(/closed/);
    expect((await response.bytes()).length).toBe(8_000_000);
    expect(await command.finished).toEqual({ code: 0, signal: null });
    expect(command.stderr).toMatch(/closed/);
  },
);

test('an error behind the end of an answer is outside of any request: the answer comes whole, the process ends', async () => {
  const { process, text } = await run('rejects.mjs', ...SINGLE);
  expect(await text('/after')).toHaveLength(2_000_000);
  expect(await process.exited).toEqual({ code: 1, signal: null });
  expect(process.stderr).toMatch(/thrown behind the end.*outside of any request/s);
});

describe.each([['spawn'], ['fork']])('workers, by %s', (method) => {
  test('serve it together, and a reload loses nothing', async () => {
    const { process, asked } = await run('express.cjs', '--method', method, '--workers', '2');
    const pid = async (): Promise<string> => String((await asked('/')).pid);
    const pids = new Set<string>();
    await until('both workers', async () => pids.add(await pid()).size === 2 || delay(1, false));
    const before = [...pids].map(Number);
    expect(await answersOf(before, pid)).toEqual(before);
    process.signal('SIGHUP');
    await until('new workers', async () => !before.includes(Number(await pid())));
    expect(await asked('/x')).toMatchObject({ url: '/x', argv: [] });
    expect(await process.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('a program that does not serve', () => {
  test.each([
    ['throws.cjs', 'single'],
    ['throws.mjs', 'single'],
    ['throws.cjs', 'spawn'],
    ['throws.mjs', 'spawn'],
  ])('%s is told with its error, exit 3 (%s)', async (program, method) => {
    const { process } = start(program, '--method', method);
    expect((await process.finished).code).toBe(3);
    expect(process.stderr).toContain('thrown at the start');
  });

  describe.each([['single'], ['spawn'], ['fork']])('by method %s', (method) => {
    const told = async (program: string): Promise<string> => {
      const { process } = start(program, '--method', method);
      expect(await process.finished).toEqual({ code: 3, signal: null });
      return process.stderr.replaceAll(all.folder, '.');
    };

    test('one that ends is told so at once', async () => {
      expect(await told('ends.mjs')).toMatch(
        /^postfork: \.\/ends\.mjs has not told an http\.Server to listen on a port: http\.createServer\(\.\.\.\)\.listen\(8080\)\n$/m,
      );
    });

    test.each(['clusters.cjs', 'clusters.mjs'])(
      'one that forks itself is told what to do instead: %s',
      async (program) => {
        expect(await told(program)).toMatch(
          /^postfork: Error: cluster\.fork\(\): .*Leave that to --workers.*\n +at .*clusters\./m,
        );
      },
    );

    test('an error of syntax in an imported module is shown with its line, and nothing else', async () => {
      expect(await told('wrong.mjs')).toBe(
        "postfork: file://./wrong-import.mjs:2\nexport const b = ;\n                 ^\n\nSyntaxError: Unexpected token ';'\n",
      );
    });

    test('where there is none, that is all that is said', async () => {
      expect(await told('none.mjs')).toBe('postfork: there is no file ./none.mjs\n');
    });
  });

  test('one that never listens is told so, and given up after the boot timeout', async () => {
    const { process } = start('silent.mjs', '--boot-timeout', '6000');
    await process.says(/silent\.mjs has not told an http\.Server to listen on a port/);
    expect((await process.finished).code).toBe(3);
    expect(process.stderr).toMatch(/did not start within 6000 ms/);
  });
});

/** One that nobody else has at this moment. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

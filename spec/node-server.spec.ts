// createServer() of postfork/node: http.createServer's place in a program, with FastCGI behind it.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { Application } from '../lib/app/index.ts';
import { Client } from '../lib/client/index.ts';
import { createServer, NodeServer, type NodeServerOptions } from '../lib/node-server.ts';
import { request_finished } from '../lib/signals/index.ts';
import type { NodeListener } from '../lib/adapters/index.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const servers: NodeServer[] = [];
const clients: Client[] = [];
let sockets = 0;

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await server[Symbol.asyncDispose]();
  }
});

const HELLO: NodeListener = (_request, response) => response.end('hello');

function make(options?: NodeServerOptions | NodeListener, listener?: NodeListener): NodeServer {
  const server = createServer(options, listener);
  servers.push(server);
  return server;
}

const freePath = (): string => folder.join(`${(sockets += 1)}.sock`);

async function ask(address: string, target = '/'): Promise<string> {
  const client = new Client({ address, keepConn: false });
  clients.push(client);
  return (await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: target } })).text();
}

/** A server that listens, and where. */
async function listening(listener: NodeListener): Promise<{ server: NodeServer; at: string }> {
  const server = make(listener);
  const path = freePath();
  await once(server.listen(path), 'listening');
  return { server, at: `unix:${path}` };
}

describe('listen', () => {
  test.each<[string, (server: NodeServer) => NodeServer]>([
    ['listen(port)', (server) => server.listen(0)],
    ['listen(port, host)', (server) => server.listen(0, '127.0.0.1')],
    ['listen(port as text)', (server) => server.listen('0')],
    ['listen({ port })', (server) => server.listen({ port: 0 })],
    ['listen({ port, host })', (server) => server.listen({ port: 0, host: '127.0.0.1' })],
    ['listen(tcp:...)', (server) => server.listen('tcp:127.0.0.1:0')],
  ])('%s', async (_form, listen) => {
    const server = make(HELLO);
    expect([server.listening, server.address()]).toEqual([false, null]);
    await once(listen(server), 'listening');
    const { address, port, family } = server.address() as AddressInfo;
    expect([server.listening, address, family, port > 0]).toEqual([true, '127.0.0.1', 'IPv4', true]);
    expect(await ask(`tcp:127.0.0.1:${port}`)).toBe('hello');
  });

  test.each<[string, (server: NodeServer, path: string) => NodeServer]>([
    ['listen(path)', (server, path) => server.listen(path)],
    ['listen({ path })', (server, path) => server.listen({ path })],
    ['listen(unix:path?mode=)', (server, path) => server.listen(`unix:${path}?mode=600`)],
  ])('%s', async (_form, listen) => {
    const server = make(HELLO);
    const path = freePath();
    await once(listen(server, path), 'listening');
    expect(server.address()).toBe(path);
    expect(await ask(`unix:${path}`)).toBe('hello');
    await server[Symbol.asyncDispose]();
    expect(existsSync(path)).toBe(false);
  });

  test('calls back when it listens, later than listen() returns', async () => {
    const events: string[] = [];
    const server = make(HELLO);
    const listened = new Promise<void>((resolve) => {
      server.listen(freePath(), () => {
        events.push('listening');
        resolve();
      });
    });
    events.push('returned');
    await listened;
    expect(events).toEqual(['returned', 'listening']);
  });

  test('twice is refused, until it is closed', async () => {
    const { server } = await listening(HELLO);
    expect(() => server.listen(freePath())).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
    await new Promise((resolve) => server.close(resolve));
    const path = freePath();
    await once(server.listen(path), 'listening');
    expect(await ask(`unix:${path}`)).toBe('hello');
  });

  test('a port that is taken is an error event with EADDRINUSE', async () => {
    const first = make(HELLO);
    await once(first.listen(0), 'listening');
    const second = make(HELLO);
    second.listen((first.address() as AddressInfo).port);
    const [error] = (await once(second, 'error')) as [NodeJS.ErrnoException];
    expect(error).toMatchObject({ code: 'EADDRINUSE', message: expect.stringContaining('cannot listen on') as string });
    expect(second.listening).toBe(false);
    const path = freePath();
    await once(second.listen(path), 'listening'); // it may try elsewhere
    expect(await ask(`unix:${path}`)).toBe('hello');
  });

  test('a path that is taken is an error event', async () => {
    const { at } = await listening(HELLO);
    const second = make(HELLO);
    second.listen(at);
    const [error] = (await once(second, 'error')) as [Error];
    expect(error.message).toContain('another server is listening there');
  });

  test('errors are those of a listen, as programs ask for', async () => {
    const server = make(HELLO);
    const [error] = (await once(server.listen(folder.join('none/x.sock')), 'error').catch((thrown: unknown) => [
      thrown,
    ])) as [NodeJS.ErrnoException];
    expect(error).toMatchObject({ syscall: 'listen', code: expect.stringMatching(/^E[A-Z]+$/) as string });
  });

  test.each([70_000, -1, '65536', 1.5])('%p is no port', (port) => {
    const server = make(HELLO);
    expect(() => server.listen(port)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }));
    expect(() => server.listen({ port })).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }));
    expect(server.listening).toBe(false);
  });

  test('an AbortSignal closes it', async () => {
    const abort = new AbortController();
    const server = make(HELLO);
    await once(server.listen({ path: freePath(), signal: abort.signal }), 'listening');
    abort.abort();
    await once(server, 'close');
    expect(server.listening).toBe(false);
    await once(server.listen({ path: freePath(), signal: abort.signal }), 'close');
  });

  test('an address that others can reach is refused, unless it is said who may', async () => {
    const open = make(HELLO).listen(0, '0.0.0.0');
    const [error] = (await once(open, 'error')) as [Error];
    expect(error.message).toContain('can be reached by others');
    const guarded = make({ allow: ['127.0.0.1'] }, HELLO).listen(0, '0.0.0.0');
    await once(guarded, 'listening');
    expect(await ask(`tcp:127.0.0.1:${(guarded.address() as AddressInfo).port}`)).toBe('hello');
  });
});

describe('requests', () => {
  test('go to all listeners of the event', async () => {
    const server = make();
    const seen: unknown[] = [];
    server.on('request', (request: IncomingMessage) => seen.push(request.url));
    server.on('request', HELLO);
    const path = freePath();
    await once(server.listen(path), 'listening');
    expect(await ask(`unix:${path}`, '/a?b')).toBe('hello');
    expect(seen).toEqual(['/a?b']);
  });

  test('without a listener are answered by 500', async () => {
    const server = make();
    const path = freePath();
    await once(server.listen(path), 'listening');
    expect(await ask(`unix:${path}`)).toContain('500');
  });

  test('know the server', async () => {
    const { server, at } = await listening((request, response) =>
      response.end(String((request.socket as unknown as { server: unknown }).server === server)),
    );
    expect(await ask(at)).toBe('true');
  });

  test('an async listener that rejects is an error of its request', async () => {
    const { at } = await listening(async ({ url }, response) => {
      await turn();
      if (url === '/fail') throw new Error('it went wrong');
      response.end('well');
    });
    expect(await ask(at, '/fail')).toContain('500');
    expect(await ask(at)).toBe('well');
  });

  test('layers and signals of its application surround them', async () => {
    const { server, at } = await listening(HELLO);
    server.application.use(async (request, next) => {
      const response = await next(request);
      response.body = 'layered';
      return response;
    });
    let finished = 0;
    const receiver = (): void => void (finished += 1);
    request_finished.connect(receiver, { sender: server.application });
    expect(await ask(at)).toBe('layered');
    request_finished.disconnect(receiver, { sender: server.application });
    expect(finished).toBe(1);
  });

  test('setTimeout gives up a request that does not move', async () => {
    const { server, at } = await listening(() => {});
    server.setTimeout(20);
    expect(await ask(at)).toContain('500');
  });

  test('setTimeout(ms, listener) leaves that to the listener', async () => {
    const { server, at } = await listening((_request, response) => {
      server.once('timeout', () => response.end('late'));
    });
    server.setTimeout(20, () => {});
    expect(await ask(at)).toBe('late');
  });
});

describe('what is no listener', () => {
  test.each([
    ['a number', 42, /takes a listener \(request, response\).*42 is neither/],
    ['nothing', null, /null is neither/],
    ['an Application', new Application(), /serve\(application, .* of 'postfork' serves an Application/],
    ['an application of Hono', new Hono(), /`postfork serve`.*`adapt`/],
    ['a Fastify one', fastify(), /`postfork serve`.*`adapt`/],
    ['a Koa one', new Koa(), /`postfork serve`.*`adapt`/],
  ])('%s: TypeError that says what to do', (_what, given, message) => {
    const wanted = expect.objectContaining({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringMatching(message) as string,
    });
    expect(() => createServer(given as never)).toThrow(wanted);
    expect(() => createServer({}, given as never)).toThrow(wanted);
  });

  test('options that are none, a listener that is an object: TypeError', () => {
    expect(() => createServer('x' as never)).toThrow(TypeError);
    expect(() => createServer({}, {} as never)).toThrow(TypeError);
  });
});

describe('close', () => {
  test('waits for what runs, and calls back', async () => {
    const events: string[] = [];
    let answer: () => void = () => {};
    const begun = new Promise<void>((begin) => {
      void listening((_request, response) => {
        answer = () => {
          events.push('answered');
          response.end('late');
        };
        begin();
      }).then(({ server, at }) => {
        void ask(at).then((text) => events.push(text));
        void begun.then(() => {
          server.close(() => events.push('closed'));
          expect([server.listening, server.address()]).toEqual([false, null]);
          answer();
        });
      });
    });
    await begun;
    await once(servers[0] as NodeServer, 'close');
    expect(events).toEqual(['answered', 'late', 'closed']);
  });

  test('of one that does not listen calls back with ERR_SERVER_NOT_RUNNING', async () => {
    const error = await new Promise((resolve) => make(HELLO).close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });

  test('may be followed by listen at once', async () => {
    const { server, at } = await listening(HELLO);
    const events: string[] = [];
    for (const event of ['close', 'listening']) server.on(event, () => events.push(event));
    server.close();
    await once(server.listen(at), 'listening');
    expect(events).toEqual(['close', 'listening']);
    expect(await ask(at)).toBe('hello');
    expect(() => server.listen(at)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
  });

  test('counts, of closing, listening and closing at once', async () => {
    const { server, at } = await listening(HELLO);
    server.close().listen(at);
    expect(() => server.listen(at)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
    await new Promise((resolve) => server.close(resolve));
    expect(server.listening).toBe(false);
    expect(existsSync(at.slice('unix:'.length))).toBe(false);
  });

  test('the second time calls back with ERR_SERVER_NOT_RUNNING', async () => {
    const { server } = await listening(HELLO);
    const codes: unknown[] = [];
    for (let time = 0; time < 2; time++) {
      server.close((error) => codes.push((error as NodeJS.ErrnoException | undefined)?.code));
    }
    await once(server, 'close');
    expect(codes).toEqual([undefined, 'ERR_SERVER_NOT_RUNNING']);
  });

  test('while it begins to listen', async () => {
    const server = make(HELLO).listen(freePath());
    await new Promise((resolve) => server.close(resolve));
    expect(server.listening).toBe(false);
  });

  test('closeAllConnections gives up what runs', async () => {
    const closed: string[] = [];
    let begin: () => void = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const { server, at } = await listening((_request, response) => {
      response.on('close', () => closed.push('given up'));
      begin();
    });
    const answer = ask(at).catch((error: unknown) => error);
    await begun;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    expect(await answer).toMatchObject({ code: 'CLOSED' });
    await turn();
    expect(closed).toEqual(['given up']);
  });

  test('await using closes it', async () => {
    let at = '';
    {
      await using server = make(HELLO);
      at = freePath();
      await once(server.listen(at), 'listening');
      expect(await ask(`unix:${at}`)).toBe('hello');
    }
    expect(existsSync(at)).toBe(false);
  });

  test('counts its connections until then', async () => {
    const { server, at } = await listening(HELLO);
    const count = (): Promise<number> => new Promise((resolve) => server.getConnections((_error, n) => resolve(n)));
    expect(await count()).toBe(0);
    const client = new Client({ address: at });
    clients.push(client);
    await (await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } })).text();
    expect(await count()).toBe(1);
  });
});

test('it has the face of an http.Server', () => {
  const server = make(HELLO);
  expect(server.ref().unref().setTimeout(5)).toBe(server);
  expect(server.timeout).toBe(5);
  server.closeIdleConnections();
  expect(server).toBeInstanceOf(NodeServer);
});

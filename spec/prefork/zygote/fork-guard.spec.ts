// The fork guard, in real processes that are connected to real servers.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { guardMessage, type OpenSocket } from '../../../lib/prefork/zygote/fork-guard.ts';
import { WeakList } from '../../../lib/prefork/zygote/weak-list.ts';
import { SpecProcess } from '../../support/process.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const PROGRAM = join(__dirname, '../../programs/guard-application.mjs');
const MODULE = join(__dirname, '../../../dist/prefork/zygote/fork-guard.js');

const onLinux = process.platform === 'linux' ? describe : describe.skip;
const withIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

interface Report {
  found: OpenSocket[];
  patched: boolean[];
  restored: boolean[];
}

async function load(scenario: string, ...args: unknown[]): Promise<Report> {
  const application = new SpecProcess(process.execPath, [
    PROGRAM,
    MODULE,
    scenario,
    ...args.map((argument) => JSON.stringify(argument)),
  ]);
  const exit = await application.finished;
  expect({ exit, stderr: application.stderr }).toEqual({ exit: { code: 0, signal: null }, stderr: '' });
  return JSON.parse(application.stdout) as Report;
}

const found = async (scenario: string, ...args: unknown[]): Promise<OpenSocket[]> =>
  (await load(scenario, ...args)).found;

/** A stack of the program: the function that opened the socket, then its callers, and nothing of Node's. */
const openedIn = (name: string): unknown => {
  const place = String.raw`\(?file:\S+guard-application\.mjs:\d+:\d+\)?`;
  return expect.stringMatching(new RegExp(`^    at ${name} ${place}(\\n    at .*${place})*$`));
};

onLinux('the fork guard finds', () => {
  const folder = temporaryFolder();
  const servers: (Server | { close(done: () => void): unknown })[] = [];
  const sockets = new Set<Socket>();

  async function listen(server: Server, ...args: [number, string] | [string]): Promise<AddressInfo> {
    servers.push(server);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
    });
    server.listen(...(args as [number, string]));
    await once(server, 'listening');
    return server.address() as AddressInfo;
  }

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await Promise.all(servers.splice(0).map((server) => new Promise<void>((done) => void server.close(() => done()))));
  });

  const tcp = async (host = '127.0.0.1'): Promise<{ port: number; host: string }> => ({
    port: (await listen(createServer(), 0, host)).port,
    host,
  });

  const secure = async (): Promise<{ port: number; host: string }> => {
    const options = { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => Buffer.from('secret') } as const;
    return { port: (await listen(createTlsServer(options), 0, '127.0.0.1')).port, host: '127.0.0.1' };
  };

  test('a TCP connection, its peer and where it was opened', async () => {
    const address = await tcp();
    expect(await found('connect', address)).toEqual([
      { fd: expect.any(Number), peer: `tcp:127.0.0.1:${address.port}`, stack: openedIn('connectDatabase') },
    ]);
  });

  (withIpv6 ? describe : describe.skip)('over IPv6', () => {
    test('a TCP connection over IPv6', async () => {
      const address = await tcp('::1');
      expect(await found('connect', address)).toMatchObject([
        { peer: `tcp:[::1]:${address.port}`, stack: openedIn('connectDatabase') },
      ]);
      expect(await found('elsewhere', address)).toMatchObject([{ peer: `tcp:[::1]:${address.port}` }]);
    });

    test('an IPv4 peer on an IPv6 socket as IPv4', async () => {
      const { port } = await tcp();
      const address = { port, host: '::ffff:127.0.0.1' };
      expect(await found('connect', address)).toMatchObject([{ peer: `tcp:127.0.0.1:${port}` }]);
      expect(await found('elsewhere', address)).toMatchObject([{ peer: `tcp:127.0.0.1:${port}` }]);
    });
  });

  test('a unix connection by the path that was given', async () => {
    const path = folder.join('database.sock');
    await listen(createServer(), path);
    const socket = { fd: expect.any(Number), peer: `unix:${path}` };
    expect(await found('connect', { path })).toEqual([{ ...socket, stack: openedIn('connectDatabase') }]);
    expect(await found('arguments', path)).toEqual([{ ...socket, stack: expect.stringContaining('arguments') }]);
  });

  test('an abstract unix connection by its name', async () => {
    const name = `postfork-spec-${process.pid}`;
    await listen(createServer(), `\0${name}`);
    expect(await found('connect', { path: `\0${name}` })).toMatchObject([{ peer: `unix:@${name}` }]);
  });

  test('a TLS connection once, where it was opened', async () => {
    const address = await secure();
    expect(await found('tls', address)).toEqual([
      { fd: expect.any(Number), peer: `tcp:127.0.0.1:${address.port}`, stack: openedIn('connectSecurely') },
    ]);
  });

  test('a connection that TLS was put on later, where it was opened', async () => {
    const address = await secure();
    expect(await found('upgrade', { ...address })).toEqual([
      { fd: expect.any(Number), peer: `tcp:127.0.0.1:${address.port}`, stack: openedIn('connectDatabase') },
    ]);
  });

  test('a connection that fetch keeps', async () => {
    const { port } = await listen(
      createHttpServer((_, response) => response.end('x')),
      0,
      '127.0.0.1',
    );
    expect(await found('http', { port })).toMatchObject([{ peer: `tcp:127.0.0.1:${port}` }]);
  });

  test('connections that Node has not made, without a stack', async () => {
    const address = await tcp();
    const path = folder.join('native.sock');
    await listen(createServer(), path);
    expect(await found('elsewhere', address)).toEqual([
      { fd: expect.any(Number), peer: `tcp:127.0.0.1:${address.port}` },
    ]);
    expect(await found('elsewhere', { path })).toEqual([{ fd: expect.any(Number), peer: 'unix' }]);
  });

  test('both ends of a connection to itself, but no listening socket', async () => {
    const ends = await found('accepted');
    expect(ends).toEqual([
      { fd: expect.any(Number), peer: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/) },
      { fd: expect.any(Number), peer: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/) },
    ]);
    expect(ends[0]?.peer).not.toBe(ends[1]?.peer);
  });

  test('a connected UDP socket', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    servers.push({ close: (done: () => void) => server.close(done) });
    await once(server, 'listening');
    const { port } = server.address();
    expect(await found('udp', { port })).toEqual([{ fd: expect.any(Number), peer: `udp:127.0.0.1:${port}` }]);
  });

  test('nothing that was closed again, or failed', async () => {
    expect(await found('closed', await tcp())).toEqual([]);
  });

  test('nothing that only listens', async () => {
    expect(await found('listening')).toEqual([]);
    expect(await found('unixListening', folder.join('listening.sock'))).toEqual([]);
  });

  test('nothing of child processes', async () => {
    expect(await found('children')).toEqual([]);
  });

  test('nothing that was open before', async () => {
    const address = await tcp();
    expect(await found('baseline', address)).toEqual([]);
  });

  test('what is opened after the end of the watch, without a stack', async () => {
    const address = await tcp();
    const report = await load('stopped', address);
    expect(report.found).toEqual([{ fd: expect.any(Number), peer: `tcp:127.0.0.1:${address.port}` }]);
  });

  test("nothing in the way of Node's methods when it has ended", async () => {
    const { patched, restored } = await load('listening');
    expect({ patched, restored }).toEqual({ patched: [true, true], restored: [true, true] });
  });
});

describe('the message of the fork guard', () => {
  const stack = '    at connectDatabase (file:///app/db.js:3:10)\n    at file:///app/main.js:1:1';

  test('names the connection, where it was opened, the fault and the way out', () => {
    expect(guardMessage([{ fd: 23, peer: 'tcp:127.0.0.1:5432', stack }])).toBe(
      [
        "The application has opened a connection while it was loaded, before the fork. All workers would share it: they read each other's answers, and the first that closes it ends it for all.",
        '  tcp:127.0.0.1:5432 (descriptor 23), opened',
        '    at connectDatabase (file:///app/db.js:3:10)',
        '    at file:///app/main.js:1:1',
        "Open it in a receiver of worker_started, or at first use, as Postfork's database connections do. --fork-guard off says nothing of this.",
      ].join('\n'),
    );
  });

  test('names those without a stack, and counts', () => {
    const message = guardMessage([
      { fd: 23, peer: 'unix' },
      { fd: 24, peer: 'tcp:127.0.0.1:5432', stack },
    ]);
    expect(message).toMatch(/opened 2 connections .* share them/);
    expect(message).toContain('\n  unix (descriptor 23), opened outside of Node');
    expect(message).toContain('\nOpen them in');
  });

  test('is bounded', () => {
    const deep = Array.from({ length: 50 }, (_, at) => `    at f${at} (file:///app/db.js:1:1)`).join('\n');
    const many = Array.from({ length: 100 }, (_, at) => ({ fd: at, peer: 'unix', stack: deep }));
    const lines = guardMessage(many).split('\n');
    expect(lines).toHaveLength(1 + 10 * 21 + 2);
    expect(lines).toContain('  and 90 more');
  });
});

describe('a weak list', () => {
  test('lists each once, in order', () => {
    const [first, second] = [{}, {}];
    const list = new WeakList<object>();
    for (const item of [first, second, first]) list.add(item);
    expect([...list]).toEqual([first, second]);
    expect([...list][0]).toBe(first);
  });
});

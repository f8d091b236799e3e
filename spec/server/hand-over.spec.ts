// Server.close with `handOver`, and Server.adopt: a kept connection goes to another server, and the web server notices nothing.

import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { buildNative, loadNative, type Native } from '../../lib/prefork/native.ts';
import { Server, type Handler, type ServerOptions } from '../../lib/server/index.ts';
import { descriptorsOf } from '../support/processes.ts';
import { turn, type RawClient } from '../support/raw-client.ts';
import { begin, END, head, PARAMS, pairs, request, STDIN, stream } from '../support/raw-records.ts';
import { HEAD, ok, servers, type Running, type Transport } from '../support/servers.ts';

const { start, calls } = servers();
const onLinux = process.platform === 'linux' ? describe : describe.skip;
const keep = true;

/** Answers with a name and the length of the body. */
const named =
  (name: string): Handler =>
  async (incoming, response) => {
    const { length } = await incoming.stdin.bytes(16 * 1024 * 1024);
    response.send(HEAD, `${name} ${length}`);
  };

const newer = (): Promise<Running> => start({ responder: named('new') });
const ends = (client: RawClient): number => client.records.filter(({ type }) => type === END).length;

async function ask(client: RawClient, stdin = ''): Promise<string> {
  await client.send(request({ keep, stdin }));
  return (await client.response()).body;
}

async function pause(ms: number): Promise<void> {
  const since = performance.now();
  while (performance.now() - since < ms) await turn();
}

onLinux('a connection that is handed over', () => {
  let native: Native;
  let pair: [number, number];

  beforeAll(async () => {
    await buildNative();
    native = loadNative();
  });
  beforeEach(() => {
    pair = native.socketpair();
  });
  afterEach(() => {
    for (const end of pair) closeSync(end);
  });

  /** A copy of the descriptor, on the way that it takes between processes. */
  function copy(descriptor: number): number {
    native.sendDescriptors(pair[0], [descriptor]);
    return native.receiveDescriptors(pair[1])[0] as number;
  }

  const giveTo =
    ({ server }: { server: Server }) =>
    (descriptor: number): boolean => {
      server.adopt(copy(descriptor));
      return true;
    };

  describe.each(['unix', 'tcp'] as Transport[])('%s', (transport) => {
    const older = (options: ServerOptions = { responder: named('old') }): Promise<Running> => start(options, transport);

    test('is one between two requests, at once, also one that has not had its first', async () => {
      const [before, after] = [await older(), await newer()];
      const clients = [await before.connect(), await before.connect(), await before.connect()] as const;
      expect(await ask(clients[0])).toBe('old 0');
      expect(await ask(clients[1], 'abc')).toBe('old 3');
      await clients[2].sync();
      const closing = before.server.close({ handOver: giveTo(after) });
      expect(after.server.connections).toBe(3);
      await closing;
      expect([before.server.connections, before.server.served]).toEqual([0, 2]);
      for (const client of clients) {
        expect(await ask(client, 'a POST')).toBe('new 6');
        expect(await ask(client)).toBe('new 0');
        expect(client.ending).toBe(undefined);
      }
      expect(after.server.served).toBe(6);
    });

    test('is one whose request runs, behind its whole answer', async () => {
      const played = calls();
      const [before, after] = [await older({ responder: played.handler }), await newer()];
      const client = await before.connect();
      await client.send(request({ keep }));
      const { request: incoming, response, finish } = await played.next();
      const closing = before.server.close({ handOver: giveTo(after) });
      expect(after.server.connections).toBe(0);
      response.send(HEAD, 'x'.repeat(5000));
      expect((await client.response()).body.length).toBe(5000);
      expect(await ask(client)).toBe('new 0');
      expect([before.server.requests, before.server.connections, incoming.aborted]).toEqual([0, 0, false]);
      finish();
      await closing;
      expect(incoming.aborted).toBe(false);
    });

    test('takes a request with it that was sent and not read yet', async () => {
      const [before, after] = [await older(), await newer()];
      const client = await before.connect();
      const fresh = await before.connect();
      expect(await ask(client)).toBe('old 0');
      await fresh.sync();
      const bytes = request({ keep, stdin: 'x'.repeat(1000) });
      client.socket.write(bytes);
      fresh.socket.write(bytes.subarray(0, 500)); // its rest finds the other one
      await before.server.close({ handOver: giveTo(after) });
      fresh.socket.write(bytes.subarray(500));
      for (const one of [client, fresh]) expect((await one.response()).body).toBe('new 1000');
      for (const one of [client, fresh]) await one.sync();
      expect([before.server.served, after.server.served]).toEqual([1, 2]);
      expect([ends(client), ends(fresh)]).toEqual([2, 1]);
    });

    test('loses nothing when it comes to each of many in the middle of their requests', async () => {
      const responder: Handler = async (incoming, response) => {
        const { length } = await incoming.stdin.bytes(1000);
        await pause(Number(incoming.params.get('PAUSE')));
        response.send(HEAD, String(length));
      };
      const [before, after] = [await older({ responder }), await start({ responder })];
      const clients = await Promise.all(Array.from({ length: 20 }, () => before.connect()));
      let closing: Promise<void> | undefined;
      const busy = clients.map(async (client, number) => {
        for (let count = 0; count < 30; count++) {
          const params = { PAUSE: String((number + count) % 3) };
          await client.send(request({ keep, stdin: 'x'.repeat(count + 1), params }));
          expect((await client.response()).body).toBe(String(count + 1));
          if (number === 7 && count === 10) closing = before.server.close({ handOver: giveTo(after) });
        }
      });
      await Promise.all(busy);
      await closing;
      expect(clients.map(ends)).toEqual(clients.map(() => 30));
      expect(before.server.served + after.server.served).toBe(600);
      expect(after.server.connections).toBe(20);
      expect(after.server.served).toBeGreaterThan(300);
    });
  });

  test('can be handed over again', async () => {
    const all = [
      await start({ responder: named('1') }),
      await start({ responder: named('2') }),
      await newer(),
    ] as const;
    const client = await all[0].connect();
    expect(await ask(client)).toBe('1 0');
    await all[0].server.close({ handOver: giveTo(all[1]) });
    expect(await ask(client)).toBe('2 0');
    await all[1].server.close({ handOver: giveTo(all[2]) });
    expect(await ask(client)).toBe('new 0');
  });

  test('costs no descriptor', async () => {
    const [before, after] = [await start({ responder: ok }), await newer()];
    const clients = await Promise.all(Array.from({ length: 10 }, () => before.connect()));
    for (const client of clients) await ask(client);
    const open = descriptorsOf(process.pid);
    await before.server.close({ handOver: giveTo(after) });
    await turn();
    expect(descriptorsOf(process.pid)).toBe(open - 1); // the listening socket
  });

  test('is the other server’s: a web server that goes away aborts what runs there', async () => {
    const played = calls();
    const [before, after] = [await start({ responder: ok }), await start({ responder: played.handler })];
    const client = await before.connect();
    await ask(client);
    await before.server.close({ handOver: giveTo(after) });
    await client.send(request({ keep }));
    const { request: incoming, finish } = await played.next();
    expect([after.server.requests, after.server.connections]).toEqual([1, 1]);
    client.destroy();
    await after.quiet();
    expect(incoming.signal.reason).toMatchObject({ code: 'ABORTED' });
    expect(after.server.requests).toBe(0);
    finish();
  });

  describe('is none', () => {
    let before: Running;
    let after: Running;
    let client: RawClient;
    let handed: number;
    const handOver = (descriptor: number): boolean => {
      handed += 1;
      return giveTo(after)(descriptor);
    };

    async function begins(options: ServerOptions = {}): Promise<void> {
      handed = 0;
      [before, after] = [await start({ responder: named('old'), ...options }), await newer()];
      client = await before.connect();
    }

    test('with half a record received, before the rest has come and was answered', async () => {
      await begins();
      await ask(client);
      const bytes = request({ keep });
      await client.send(bytes.subarray(0, 5));
      await pause(10); // it has been read
      const closing = before.server.close({ handOver, idle: 40 });
      await pause(30); // the times that it is tried again
      expect(handed).toBe(0);
      await client.send(bytes.subarray(5));
      expect((await client.response()).body).toBe('old 0');
      expect(await ask(client)).toBe('new 0');
      await closing;
      expect(handed).toBe(1);
    });

    test('with a request that has only begun', async () => {
      await begins();
      await client.send(begin(1, { keep }));
      await client.sync();
      const closing = before.server.close({ handOver, idle: 40 });
      await pause(30);
      expect(handed).toBe(0);
      await client.send(Buffer.concat([stream(PARAMS, 1, pairs({ REQUEST_METHOD: 'GET' })), stream(STDIN, 1, '')]));
      expect((await client.response()).body).toBe('old 0');
      expect(await ask(client)).toBe('new 0');
      await closing;
    });

    test('with another request active on it', async () => {
      const played = calls();
      await begins({ responder: played.handler, multiplex: true });
      await client.send(Buffer.concat([request({ id: 1, keep }), request({ id: 2, keep })]));
      const [one, other] = [await played.next(), await played.next()];
      const closing = before.server.close({ handOver, idle: 40 });
      one.response.send(HEAD, 'one');
      expect((await client.response(1)).body).toBe('one');
      await pause(30);
      expect(handed).toBe(0);
      other.response.send(HEAD, 'other');
      expect((await client.response(2)).body).toBe('other');
      expect(await ask(client)).toBe('new 0');
      one.finish();
      other.finish();
      await closing;
    });

    test('with input still to come for a request that was answered', async () => {
      await begins({ responder: ok });
      await client.send(head({ keep, stdin: 'abc' }));
      expect((await client.response()).body).toBe('ok');
      const closing = before.server.close({ handOver, idle: 60 });
      await pause(30);
      expect(handed).toBe(0);
      await client.send(stream(STDIN, 1, 'abc'));
      expect(await ask(client)).toBe('ok');
      expect(await client.closed).toBe('end'); // once it is idle
      await closing;
    });

    test('with output that the web server has not taken; it is one then', async () => {
      const size = 8 * 1024 * 1024;
      await begins({ responder: (_incoming, response) => response.send(HEAD, Buffer.alloc(size)) });
      client.socket.pause();
      await client.send(request({ keep }));
      while (before.server.served === 0 || before.server.requests > 0) await turn();
      const closing = before.server.close({ handOver, idle: 40 });
      await pause(30);
      expect(handed).toBe(0);
      client.socket.resume();
      expect((await client.response()).body.length).toBe(size);
      await closing;
      expect(handed).toBe(1);
      expect(await ask(client)).toBe('new 0');
    });

    test('without KEEP_CONN: it is closed behind its answer', async () => {
      const played = calls();
      await begins({ responder: played.handler });
      await client.send(request());
      const { response, finish } = await played.next();
      const closing = before.server.close({ handOver });
      response.send(HEAD, 'ok');
      expect((await client.response()).body).toBe('ok');
      expect(await client.closed).toBe('end');
      finish();
      await closing;
      expect(handed).toBe(0);
    });

    test('with a request that was received and not looked at, because the one before took no more input', async () => {
      let open: (() => void) | undefined;
      const gate = new Promise<void>((resolve) => (open = resolve));
      const responder: Handler = async (incoming, response) => {
        if (incoming.params.get('REQUEST_URI') === '/gate') await gate;
        const { length } = await incoming.stdin.bytes(5000);
        response.send(HEAD, `${length}`);
      };
      await begins({ responder, multiplex: true, inputWindow: 1000 });
      await client.send(request({ keep, stdin: 'x'.repeat(2000), params: { REQUEST_URI: '/gate' } }));
      while (before.server.served === 0) await turn();
      await pause(10); // nothing is read any more
      await client.send(request({ id: 2, keep, stdin: 'abc' }));
      await pause(10);
      const closing = before.server.close({ handOver, idle: 40 });
      open?.();
      expect((await client.response(1)).body).toBe('2000');
      expect((await client.response(2)).body).toMatch(/^(new )?3$/);
      await closing;
    });
  });

  describe('where nobody takes it', () => {
    test('it is served and closed as without', async () => {
      const running = await start({ responder: named('old') });
      const client = await running.connect();
      await ask(client);
      let asked = 0;
      const closing = running.server.close({ idle: 100, handOver: () => ++asked < 0 });
      expect(asked).toBe(1);
      expect(await ask(client, 'a POST')).toBe('old 6');
      expect(await client.closed).toBe('end');
      await closing;
      expect(asked).toBeGreaterThan(2); // again and again
    });

    test('it goes to the first who does', async () => {
      const [before, after] = [await start({ responder: named('old') }), await newer()];
      const client = await before.connect();
      await ask(client);
      let taken = false;
      const closing = before.server.close({ idle: 5000, handOver: (fd) => taken && giveTo(after)(fd) });
      expect(await ask(client)).toBe('old 0');
      taken = true;
      await closing;
      expect(await ask(client)).toBe('new 0');
    });
  });

  describe('adopt', () => {
    test('of what is no socket throws; the descriptor stays the caller’s', async () => {
      const { server } = await newer();
      const open = descriptorsOf(process.pid);
      const file = openSync(__filename, 'r');
      expect(() => server.adopt(file)).toThrow(/fd type/);
      closeSync(file);
      expect(server.connections).toBe(0);
      expect(descriptorsOf(process.pid)).toBe(open);
    });

    test('of a descriptor that is not open throws', async () => {
      const { server } = await newer();
      const closed = openSync(__filename, 'r');
      closeSync(closed);
      expect(() => server.adopt(closed)).toThrow(/fd type|EBADF/);
      expect(server.connections).toBe(0);
    });

    test('of a connection whose web server has gone meanwhile closes it', async () => {
      const { server } = await newer();
      const [ours, theirs] = native.socketpair();
      closeSync(theirs);
      server.adopt(ours);
      expect(server.connections).toBe(1);
      while (server.connections > 0) await turn();
    });

    test('refuses a peer that is not allowed', async () => {
      const before = await start({ responder: named('old') }, 'tcp');
      const after = await start({ responder: named('new'), allow: ['192.0.2.1'] });
      const client = await before.connect();
      await ask(client);
      await before.server.close({ handOver: giveTo(after) });
      expect(await client.closed).toBe('end');
      expect(after.server.connections).toBe(0);
      expect(after.log).toContainEqual(
        expect.objectContaining({ level: 'warn', message: 'connection refused: the peer is not allowed' }),
      );
    });

    test('takes a connection that has waited since long, as long as idleTimeout', async () => {
      const before = await start({ responder: named('old') });
      const after = await start({ responder: named('new'), headersTimeout: 40, idleTimeout: 60_000 });
      const client = await before.connect();
      await ask(client);
      await before.server.close({ handOver: giveTo(after) });
      await pause(150);
      expect(await ask(client)).toBe('new 0');
    });

    test('at close, a connection that was taken over is closed once it has been idle', async () => {
      const [before, after] = [await start({ responder: named('old') }), await newer()];
      const client = await before.connect();
      await ask(client);
      await before.server.close({ handOver: giveTo(after) });
      const since = performance.now();
      await after.server.close({ idle: 40 });
      expect(performance.now() - since).toBeLessThan(2000);
      expect(await client.closed).toBe('end');
    });

    test('needs nobody who listens', async () => {
      const server = new Server({ responder: named('new') });
      const [ours, theirs] = native.socketpair();
      server.adopt(ours);
      const socket = new Socket({ fd: theirs });
      socket.write(request());
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString('latin1')).toContain('new 0');
      await server.close();
    });
  });
});

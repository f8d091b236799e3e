// WIRE 48: input that makes no sense. fast-check prints the seed and the smallest input of what fails.

import fc from 'fast-check';
import type { RawClient } from '../support/raw-client.ts';
import { turn } from '../support/raw-client.ts';
import {
  ABORT,
  begin,
  DATA,
  getValues,
  GET_VALUES_RESULT,
  head,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
  UNKNOWN_TYPE,
  END,
  STDOUT,
} from '../support/raw-records.ts';
import { responderProcess } from '../support/responder-process.ts';
import { ok, servers } from '../support/servers.ts';

const keep = true;

/** A bit of everything that is right. */
const SESSION = Buffer.concat([
  getValues('FCGI_MAX_CONNS', 'FCGI_MPXS_CONNS'),
  begin(1, { keep }),
  begin(2, { keep, role: 2 }),
  record(PARAMS, 2, pairs({ REQUEST_METHOD: 'GET', HTTP_AUTHORIZATION: 'Basic eDp5' }), 3),
  record(PARAMS, 1, pairs({ REQUEST_METHOD: 'POST', REQUEST_URI: '/one', CONTENT_LENGTH: '12' })),
  record(PARAMS, 2),
  record(PARAMS, 1, pairs({ HTTP_X: 'x'.repeat(140) }), 7),
  record(PARAMS, 1),
  record(STDIN, 1, 'hello '),
  record(99, 0, 'what', 4),
  record(STDIN, 1, 'world!', 2),
  record(STDIN, 1),
  request({ id: 3, keep, role: 3 }),
  head({ id: 4, keep, stdin: 'abc' }),
  record(ABORT, 4),
  request({ id: 5, stdin: 'the last one' }),
]);

describe('48 a process', () => {
  const responder = responderProcess({ abortTimeout: 50, maxParamsBytes: 4096 });
  let canary: RawClient | undefined;

  async function expectUnharmed(): Promise<void> {
    canary ??= await responder.connect();
    await canary.send(request({ keep, params: { REQUEST_URI: '/canary' } }));
    expect((await canary.response()).body).toBe('GET /canary ');
    expect(responder.process.running).toBe(true);
  }

  /** Send pieces on a connection of its own, end it, and wait until the server has ended it too. */
  async function play(pieces: readonly Buffer[]): Promise<void> {
    const client = await responder.connect();
    for (const piece of pieces) {
      if (client.ending !== undefined) break;
      await client.send(piece);
      if (pieces.length > 1) await turn();
    }
    client.end();
    await client.closed;
    client.destroy();
  }

  afterEach(() => {
    canary?.destroy();
    canary = undefined;
  });

  /** Nothing is left of what was played, and nothing was said: no warning, no rejection. */
  async function expectClean(): Promise<void> {
    await expectUnharmed();
    let stats = await responder.stats();
    for (let i = 0; stats.requests + stats.connections > 1 && i < 100; i++) stats = await responder.stats();
    expect(stats).toMatchObject({ requests: 0, connections: 1 }); // the canary's
    expect(responder.process.stderr).toMatch(/^ready [^\n]+\n$/);
  }

  test('survives any bytes', async () => {
    const some = fc.uint8Array({ maxLength: 400 });
    const version1 = some.map((bytes) => [1, ...bytes]); // beyond the first byte
    await fc.assert(
      fc.asyncProperty(fc.oneof(some, version1), async (bytes) => {
        await play([Buffer.from(bytes)]);
        await expectUnharmed();
      }),
      { numRuns: 300 },
    );
    await expect(expectClean()).resolves.toBe(undefined);
  });

  test('survives records of any type, id, flags and length', async () => {
    const byte = fc.nat(255);
    const id = fc.oneof(fc.nat(4), fc.nat(65_535));
    const type = fc.oneof(fc.integer({ min: 1, max: 11 }), byte);
    const anyRecord = fc
      .tuple(type, id, fc.oneof(fc.constant(8), fc.nat(60)), byte, byte)
      .map(([of, to, length, padding, fill]) => record(of, to, Buffer.alloc(length, fill), padding));
    const anyBegin = fc
      .tuple(id, fc.nat(4), fc.boolean())
      .map(([of, role, kept]) => begin(of, { role, keep: kept || of % 2 === 0 }));
    const sensible = fc
      .tuple(id, fc.constantFrom(PARAMS, STDIN, DATA, ABORT), fc.boolean())
      .map(([of, kind, empty]) => record(kind, of, empty ? '' : pairs({ A: 'b' })));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(anyRecord, anyBegin, sensible), { maxLength: 30 }),
        fc.boolean(),
        async (all, cut) => {
          await play(cut ? all : [Buffer.concat(all)]);
          await expectUnharmed();
        },
      ),
      { numRuns: 300 },
    );
    await expect(expectClean()).resolves.toBe(undefined);
  });

  test('survives a session that breaks off at every byte', async () => {
    for (let at = 0; at < SESSION.length; at++) {
      await play([SESSION.subarray(0, at)]);
      if (at % 50 === 0) await expectUnharmed();
    }
    await expect(expectClean()).resolves.toBe(undefined);
  });

  test('survives a session in which bytes are changed, left out, repeated or put in', async () => {
    const at = fc.nat(SESSION.length - 1);
    const mutation = fc.oneof(
      fc.tuple(fc.constant('change' as const), at, fc.uint8Array({ minLength: 1, maxLength: 4 })),
      fc.tuple(fc.constant('leave out' as const), at, fc.uint8Array({ minLength: 1, maxLength: 40 })),
      fc.tuple(fc.constant('repeat' as const), at, fc.uint8Array({ minLength: 1, maxLength: 40 })),
      fc.tuple(fc.constant('put in' as const), at, fc.uint8Array({ minLength: 1, maxLength: 20 })),
    );
    const chunk = fc.integer({ min: 1, max: 2000 });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), chunk, async (mutations, size) => {
        let bytes = SESSION;
        for (const [kind, where, what] of mutations) {
          const before = bytes.subarray(0, where);
          const same = bytes.subarray(where, where + what.length);
          const after = bytes.subarray(where + what.length);
          if (kind === 'change') bytes = Buffer.concat([before, what.subarray(0, same.length), after]);
          else if (kind === 'leave out') bytes = Buffer.concat([before, after]);
          else if (kind === 'repeat') bytes = Buffer.concat([before, same, same, after]);
          else bytes = Buffer.concat([before, what, same, after]);
        }
        const pieces: Buffer[] = [];
        for (let from = 0; from < bytes.length; from += size) pieces.push(bytes.subarray(from, from + size));
        await play(pieces.slice(0, 200));
        await expectUnharmed();
      }),
      { numRuns: 300 },
    );
    await expect(expectClean()).resolves.toBe(undefined);
  });
});

describe('48 a model', () => {
  const { start } = servers();
  const LIMIT = 3;

  type Kind = 'params' | 'params end' | 'stdin' | 'data' | 'abort' | 'output' | 'unknown';
  type Command =
    | { kind: 'begin'; id: number; role: number }
    | { kind: Kind; id: number }
    | { kind: 'get values' }
    | { kind: 'unknown management' };

  function bytesOf(command: Command): Buffer {
    switch (command.kind) {
      case 'begin':
        return begin(command.id, { keep, role: command.role });
      case 'params':
        return record(PARAMS, command.id, pairs({ A: 'b' }), 1);
      case 'params end':
        return record(PARAMS, command.id);
      case 'stdin':
        return stream(STDIN, command.id, 'abc');
      case 'data':
        return stream(DATA, command.id, 'abc');
      case 'abort':
        return record(ABORT, command.id);
      case 'output':
        return record(STDOUT, command.id, 'abc');
      case 'unknown':
        return record(77, command.id, 'abc');
      case 'get values':
        return getValues('FCGI_MAX_CONNS');
      case 'unknown management':
        return record(77, 0, 'abc');
    }
  }

  /**
   * What a responder that answers at once has to send: type and id, and protocolStatus of an END_REQUEST. `closedBy`: after
   * how many commands it closes the connection.
   */
  function expected(commands: readonly Command[]): { sent: number[][]; closedBy: number | undefined } {
    const active = new Set<number>();
    const sent: number[][] = [];
    for (const [at, command] of commands.entries()) {
      if (command.kind === 'get values') sent.push([GET_VALUES_RESULT, 0]);
      else if (command.kind === 'unknown management') sent.push([UNKNOWN_TYPE, 0]);
      else {
        const { kind, id } = command;
        if (id === 0 && kind !== 'unknown') return { sent, closedBy: at + 1 };
        if (id === 0) sent.push([UNKNOWN_TYPE, 0]);
        else if (kind === 'begin') {
          if (active.has(id)) return { sent, closedBy: at + 1 };
          if (command.role !== 1) sent.push([END, id, 3]);
          else if (active.size === LIMIT) sent.push([END, id, 2]);
          else active.add(id);
        } else if (!active.has(id)) continue;
        else if (kind === 'stdin') return { sent, closedBy: at + 1 };
        else if (kind === 'params end') sent.push([STDOUT, id], [STDOUT, id], [END, id, 0]);
        else if (kind === 'abort') sent.push([END, id, 0]);
        if (kind === 'params end' || kind === 'abort') active.delete(id);
      }
    }
    return { sent, closedBy: undefined };
  }

  test('says what is answered to any records, one at a time', async () => {
    const running = await start({ responder: ok, maxRequestsPerConnection: LIMIT });
    const id = fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: 1, max: 5 }) },
      { weight: 1, arbitrary: fc.constant(0) },
    );
    const role = fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(5) });
    const simple = fc.constantFrom<Kind>('params', 'params end', 'data', 'abort', 'output', 'unknown', 'stdin');
    const command: fc.Arbitrary<Command> = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), id, role }) },
      { weight: 6, arbitrary: fc.record({ kind: simple, id }) },
      { weight: 1, arbitrary: fc.constantFrom<Command>({ kind: 'get values' }, { kind: 'unknown management' }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const { sent, closedBy } = expected(commands);
        const client = await running.connect();
        await client.sync(); // it is accepted: from here on, what is sent in one turn is read in the next
        for (const one of commands.slice(0, closedBy)) {
          await client.send(bytesOf(one));
          await turn();
        }
        await (closedBy === undefined ? client.sync() : client.closed);
        const seen = client.records.map(({ type, id: of, content }) =>
          type === END ? [type, of, content[4] as number] : [type, of],
        );
        expect(seen).toEqual(sent);
        client.destroy();
      }),
      { numRuns: 300 },
    );
    await running.quiet();
    expect(running.server.requests).toBe(0);
  });
});

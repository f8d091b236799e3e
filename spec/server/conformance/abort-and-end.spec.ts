// WIRE 39 to 42: ABORT_REQUEST, END_REQUEST, handlers that fail (FastCGI 1.0, 5.4; 5.5).

import {
  ABORT,
  begin,
  END,
  head,
  pairs,
  PARAMS,
  record,
  request,
  STDERR,
  STDIN,
  STDOUT,
} from '../../support/raw-records.ts';
import { HEAD, ok, servers } from '../../support/servers.ts';
import type { Handler, Response } from '../../../lib/server/index.ts';
import type { RawClient } from '../../support/raw-client.ts';

const { start, calls } = servers();
const keep = true;
const FOREIGN = 255; // a type that no web server takes for a part of an answer

/** What came for an id, as types. */
const types = (client: RawClient, id = 1): number[] =>
  client.records.filter((one) => one.id === id).map(({ type }) => type);

describe('39 (5.4) ABORT_REQUEST', () => {
  test('during PARAMS: END_REQUEST at once, the handler is never called', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(Buffer.concat([begin(1, { keep }), record(PARAMS, 1, pairs({ A: 'b' })), record(ABORT, 1)]));
    expect((await client.response()).protocolStatus).toBe(0);
    await client.send(Buffer.concat([record(PARAMS, 1), record(STDIN, 1)]));
    await client.sync();
    expect([types(client), played.count]).toEqual([[END], 0]);
  });

  test('in the same chunk as the end of PARAMS: the same', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(Buffer.concat([head({ keep }), record(ABORT, 1)]));
    await client.response();
    await client.sync();
    expect([types(client), played.count]).toEqual([[END], 0]);
  });

  test('while the handler waits for STDIN: it is told, and END_REQUEST follows when it has ended', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(head({ keep, stdin: 'abc' }));
    const { request: incoming, response, finish } = await played.next();
    const reading = incoming.stdin.read();
    const signalled = new Promise((resolve) => incoming.signal.addEventListener('abort', resolve));
    await client.send(record(ABORT, 1));
    await signalled;
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' });
    await client.sync();
    expect(types(client)).toEqual([]); // the handler may still be at it
    response.send(HEAD, 'too late');
    finish();
    expect(await client.response()).toMatchObject({ stdout: '', appStatus: 1, protocolStatus: 0 });
    expect(types(client)).toEqual([END]);
  });

  test('while the answer is sent: what follows of it is dropped', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(request({ keep }));
    const { request: incoming, response, finish } = await played.next();
    response.start(HEAD);
    response.write('some');
    await client.record(STDOUT, 1);
    await client.send(record(ABORT, 1));
    await client.sync();
    expect(incoming.aborted).toBe(true);
    expect(response.write('more')).toBe(true);
    response.stderr('oh');
    response.end();
    finish();
    await client.response();
    await client.sync();
    expect(types(client).filter((type) => type === END).length).toBe(1);
    expect(types(client).at(-1)).toBe(END);
    expect(Buffer.concat(client.records.map(({ content }) => content)).toString()).not.toContain('more');
  });

  test('after END_REQUEST: ignored', async () => {
    const client = await (await start({ responder: ok })).connect();
    await client.send(request({ keep }));
    await client.response();
    await client.send(record(ABORT, 1));
    await client.sync();
    expect(types(client)).toEqual([STDOUT, STDOUT, END]);
  });

  test('twice: one END_REQUEST', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(request({ keep }));
    const { finish } = await played.next();
    await client.send(Buffer.concat([record(ABORT, 1), record(ABORT, 1)]));
    await client.sync();
    expect(types(client)).toEqual([]); // the second does not hurry the handler either
    finish();
    await client.response();
    await client.sync();
    expect(types(client)).toEqual([END]);
  });

  test('a handler that does not end is not waited for longer than abortTimeout, and can say nothing afterwards', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, abortTimeout: 20 });
    const client = await running.connect();
    await client.send(request({ keep }));
    const { response } = await played.next();
    await client.send(record(ABORT, 1));
    expect(await client.response()).toMatchObject({ appStatus: 1, protocolStatus: 0 });
    expect(running.server.requests).toBe(0);
    await client.send(request({ keep }));
    const second = await played.next();
    response.send(HEAD, 'of the first');
    second.response.send(HEAD, 'of the second');
    expect((await client.response()).body).toBe('of the second');
    await client.sync();
    expect(types(client)).toEqual([END, STDOUT, STDOUT, END]);
  });

  test('a handler that returned nothing and answers later is treated the same', async () => {
    const late: (() => void)[] = [];
    const responder: Handler = (_request, response) => {
      late.push(() => response.send(HEAD, 'late'));
    };
    const client = await (await start({ responder, abortTimeout: 20 })).connect();
    await client.send(Buffer.concat([request({ keep })]));
    await client.sync();
    await client.send(record(ABORT, 1));
    await client.response();
    for (const answer of late) answer();
    await client.sync();
    expect([late.length, types(client)]).toEqual([1, [END]]);
  });

  test('other requests on the connection are not touched', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(Buffer.concat([request({ id: 1, keep }), request({ id: 2, keep })]));
    const [first, second] = [await played.next(), await played.next()];
    await client.send(record(ABORT, 1));
    await client.sync();
    first.finish();
    await client.response(1);
    expect(second.request.aborted).toBe(false);
    second.response.send(HEAD, 'two');
    expect((await client.response(2)).body).toBe('two');
  });

  test('without KEEP_CONN the connection is closed behind END_REQUEST', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(Buffer.concat([begin(1), record(ABORT, 1), request({ id: 2 })]));
    await client.response(1);
    expect(await client.closed).toBe('end');
    expect([played.count, running.server.requests]).toEqual([0, 0]);
  });

  test('is nothing to log as an error', async () => {
    const responder: Handler = async (incoming) => {
      await incoming.stdin.bytes(100);
    };
    const running = await start({ responder });
    const client = await running.connect();
    await client.send(head({ keep, stdin: 'abc' }));
    await client.sync();
    await client.send(record(ABORT, 1));
    await client.response();
    expect(running.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });
});

describe('40 (5.4) a close by the web server', () => {
  test.each(['end', 'destroy'] as const)('is an abort (%s)', async (how) => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request());
    const { request: incoming, finish } = await played.next();
    const signalled = new Promise((resolve) => incoming.signal.addEventListener('abort', resolve));
    client[how]();
    await signalled;
    expect(incoming.signal.reason).toMatchObject({ name: 'AbortError', code: 'ABORTED' });
    expect([running.server.requests, running.server.connections]).toEqual([0, 0]);
    finish();
    expect(running.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  test('before PARAMS have ended means that the handler is never called', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const bytes = request({ keep });
    const paramsEnd = head({ keep }).length;
    for (let at = 1; at < paramsEnd; at++) {
      const client = await running.connect();
      await client.send(bytes.subarray(0, at));
      client.end();
      await client.closed;
      expect(client.received).toBe(0);
    }
    expect([played.count, running.server.requests]).toEqual([0, 0]);
  });
});

describe('41 (5.5) END_REQUEST', () => {
  test.each([0, 1, 255, 256, 0x01020304, 0x7fffffff, 0x80000000, 0xffffffff])(
    'has appStatus %i as 32 bits, big-endian, protocolStatus and three zeros',
    async (appStatus) => {
      const responder: Handler = (incoming, response) => {
        if (incoming.id === 1) response.send(HEAD, 'text', appStatus);
        else if (incoming.id === 2) response.send(HEAD, Buffer.from('bytes'), appStatus);
        else response.end(appStatus);
      };
      const client = await (await start({ responder })).connect();
      await client.send(Buffer.concat([1, 2, 3].map((id) => request({ id, keep }))));
      for (const id of [1, 2, 3]) {
        const end = (await client.response(id)).records.at(-1);
        expect(end?.content.toString('hex')).toBe(`${appStatus.toString(16).padStart(8, '0')}00000000`);
      }
    },
  );

  test('has an appStatus that is not 0 when the handler failed', async () => {
    const responder: Handler = () => {
      throw new Error('no');
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    expect(await client.response()).toMatchObject({ status: 500, appStatus: 1, protocolStatus: 0 });
  });
});

describe('42 a handler that fails', () => {
  const failing: [string, Handler][] = [
    [
      'throws',
      () => {
        throw new Error('no luck');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no luck'))],
    ['rejects with no error', () => Promise.reject('no luck')], // eslint-disable-line prefer-promise-reject-errors
    ['rejects later', () => new Promise((_resolve, reject) => setImmediate(reject, new Error('no luck')))],
  ];

  test.each(failing)(
    '%s before the head: a complete 500, the message in STDERR, one line of log',
    async (_title, responder) => {
      const running = await start({ responder });
      const client = await running.connect();
      await client.send(request({ keep }));
      const response = await client.response();
      expect(response).toMatchObject({ status: 500, appStatus: 1, protocolStatus: 0 });
      expect(response.stderr).toMatch(/^[^\n]*no luck\n$/);
      expect(response.body).not.toContain('luck');
      expect(response.stdout.match(/Status:/g)?.length).toBe(1);
      expect(running.log.filter(({ level }) => level === 'error').length).toBe(1);
      await client.send(request({ keep }));
      expect((await client.response()).status).toBe(500);
    },
  );

  test.each([
    ['Object.create(null)', Object.create(null) as unknown],
    ['undefined', undefined],
    ['an error without a message', new Error('')],
    [
      'an object whose toString throws',
      {
        toString: () => {
          throw new Error('worse');
        },
      },
    ],
  ])('with %s: a 500 as well', async (_title, thrown) => {
    const responder: Handler = (incoming) => {
      if (incoming.id === 1) throw thrown;
      return Promise.reject(thrown); // eslint-disable-line prefer-promise-reject-errors
    };
    const client = await (await start({ responder })).connect();
    await client.send(Buffer.concat([request({ keep }), request({ id: 2, keep })]));
    expect((await client.response(1)).status).toBe(500);
    expect((await client.response(2)).status).toBe(500);
  });

  test('that ends without an answer is a 500', async () => {
    const client = await (await start({ responder: () => Promise.resolve() })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(500);
  });

  test('that ends in the middle of its answer has ended it', async () => {
    const responder: Handler = async (_request, response) => {
      response.start(HEAD);
      await new Promise(setImmediate);
      response.write('text');
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe('text');
  });

  test('that returns something else than a promise may answer later', async () => {
    const responder = ((_request: unknown, response: Response) => {
      setImmediate(() => response.send(HEAD, 'later'));
      return true;
    }) as unknown as Handler;
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe('later');
  });

  test('a second head is refused', async () => {
    const responder: Handler = (_request, response) => {
      response.start(HEAD);
      expect(() => response.start(HEAD)).toThrow(TypeError);
      expect(() => response.send(HEAD, '')).toThrow(TypeError);
      response.end();
      response.start(HEAD); // nothing: it is over
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).stdout).toBe(HEAD);
  });

  const half: Handler = async (_request, response) => {
    response.start(HEAD);
    response.write('half of it');
    await new Promise(setImmediate);
    throw new Error('no luck');
  };

  test.each(['unix', 'tcp'] as const)(
    'after the head, alone on its connection: STDERR, then the connection is broken off without END_REQUEST (%s)',
    async (transport) => {
      const client = await (await start({ responder: half }, transport)).connect();
      await client.send(request({ keep }));
      await client.closed;
      expect(types(client)).toEqual([STDOUT, STDOUT, STDERR, FOREIGN]);
      expect(client.midRecord).toBe(false);
    },
  );

  test('after the head, while others share its connection: STDERR, END_REQUEST with an appStatus, no end of STDOUT', async () => {
    const played = calls();
    const responder: Handler = (incoming, response) =>
      incoming.id === 1 ? half(incoming, response) : played.handler(incoming, response);
    const client = await (await start({ responder })).connect();
    await client.send(Buffer.concat([request({ id: 2, keep }), request({ id: 1, keep })]));
    const response = await client.response(1);
    expect(response).toMatchObject({ appStatus: 1, protocolStatus: 0 });
    expect(response.records.map(({ type, content }) => [type, content.length > 0])).toEqual([
      [STDOUT, true],
      [STDOUT, true],
      [STDERR, true],
      [END, true],
    ]);
    (await played.next()).response.send(HEAD, 'two');
    expect((await client.response(2)).body).toBe('two');
  });

  test('over TCP the same: a reset would take away what the web server has not read yet', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler }, 'tcp')).connect();
    await client.send(request({ keep }));
    const { response } = await played.next();
    response.start(HEAD);
    await client.record(STDOUT, 1);
    response.cut();
    expect(await client.closed).toBe('end');
    expect(types(client)).toEqual([STDOUT, FOREIGN]);
  });

  test('`cut` says the same without an error', async () => {
    const responder: Handler = (_request, response) => {
      response.start(HEAD);
      response.write('half');
      response.cut();
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    await client.closed;
    expect(types(client)).toEqual([STDOUT, STDOUT, FOREIGN]);
  });

  test('`cut` while the web server still sends: it gets all there is', async () => {
    const responder: Handler = (_request, response) => {
      response.start(HEAD);
      response.cut();
    };
    const client = await (await start({ responder })).connect();
    client.socket.pause();
    await client.send(request({ keep, stdin: Buffer.alloc(4 * 1024 * 1024) }));
    client.socket.resume();
    expect(await client.closed).toBe('end');
    expect(types(client)).toEqual([STDOUT, FOREIGN]);
  });

  test('a message in STDERR is one line of at most 8 KiB, whatever is in it', async () => {
    const responder: Handler = (incoming, response) => {
      response.stderr(incoming.id === 1 ? 'a\r\nforged: line\x1b[31m\0 \u{1f600}\n' : '\x01'.repeat(100_000));
      response.send(HEAD, '');
    };
    const client = await (await start({ responder })).connect();
    await client.send(Buffer.concat([1, 2].map((id) => request({ id, keep }))));
    const { stderr } = await client.response(1);
    expect(Buffer.from(stderr, 'latin1').toString()).toBe('a\\x0d\\x0aforged: line\\x1b[31m\\x00 \u{1f600}\n');
    const long = (await client.response(2)).stderr;
    expect(long).toMatch(/^(\\x01)+[\\x01]*\n$/);
    expect(long.length).toBeLessThanOrEqual(8192);
  });
});

// How answers leave: in as few writes as can be, byte for byte.

import type { Socket } from 'node:net';
import type { Handler, ServerOptions } from '../../lib/server/index.ts';
import { acceptedSocket } from '../support/accepted-socket.ts';
import type { RawClient } from '../support/raw-client.ts';
import { begin, getValues, record, request } from '../support/raw-records.ts';
import { HEAD, servers } from '../support/servers.ts';

const { start } = servers();
const keep = true;

/** Node's writable hooks: each call is one write to the system. */
interface Hooks {
  _write: (...args: unknown[]) => void;
  _writev: (...args: unknown[]) => void;
}

/** Counts what a socket hands to the system from now on. */
function countWrites(socket: Socket): () => number {
  let count = 0;
  const hooks = socket as unknown as Hooks;
  for (const name of ['_write', '_writev'] as const) {
    const original = hooks[name];
    hooks[name] = function (this: unknown, ...args: unknown[]): void {
      count += 1;
      original.apply(this, args);
    };
  }
  return () => count;
}

async function connect(options: ServerOptions): Promise<{ client: RawClient; writes: () => number }> {
  const running = await start(options);
  const accepted = acceptedSocket();
  const client = await running.connect();
  return { client, writes: countWrites(await accepted) };
}

describe('one write', () => {
  const whole: [string, Handler][] = [
    ['a small text', (_request, response) => response.send(HEAD, 'text')],
    ['small bytes', (_request, response) => response.send(HEAD, Buffer.from('bytes'))],
    ['15 KiB of text', (_request, response) => response.send(HEAD, 'x'.repeat(15 * 1024))],
    ['60 KiB of text', (_request, response) => response.send(HEAD, 'x'.repeat(60 * 1024))],
    ['60 KiB', (_request, response) => response.send(HEAD, Buffer.alloc(60 * 1024))],
    ['a megabyte', (_request, response) => response.send(HEAD, Buffer.alloc(1024 * 1024))],
    [
      'a message and a text',
      (_request, response) => {
        response.stderr('oh');
        response.send(HEAD, 'text');
      },
    ],
    [
      'pieces of the same turn',
      (_request, response) => {
        response.start(HEAD);
        response.write('a');
        response.write('b');
        response.end();
      },
    ],
    ['nothing', (_request, response) => response.end()],
    ['what a handler fails with', () => Promise.reject(new Error('no'))],
    [
      'an answer that comes later',
      (_request, response) => {
        setImmediate(() => response.send(HEAD, 'later'));
      },
    ],
  ];

  test.each(whole)('%s leaves in one write with its END_REQUEST, which is the very last', async (_title, responder) => {
    const { client, writes } = await connect({ responder });
    await client.send(request({ keep }));
    await client.response();
    expect(writes()).toBe(1);
    expect(client.bytes.subarray(-16).toString('hex')).toMatch(/^0103000100080000........00000000$/);
  });

  test('answers to requests of one chunk', async () => {
    const { client, writes } = await connect({ responder: (_request, response) => response.send(HEAD, 'text') });
    await client.send(Buffer.concat([1, 2, 3, 4, 5].map((id) => request({ id, keep }))));
    await client.response(5);
    expect(writes()).toBe(1);
  });

  test('replies to what one chunk asks', async () => {
    const { client, writes } = await connect({});
    await client.send(Buffer.concat([getValues('FCGI_MAX_CONNS'), record(99, 0), begin(1, { keep, role: 9 })]));
    await client.response();
    expect(writes()).toBe(1);
    expect(client.records.length).toBe(3);
  });
});

test('an answer that was sent has been started and is over', async () => {
  const seen: boolean[] = [];
  const responder: Handler = (incoming, response) => {
    seen.push(response.started, response.over);
    response.send(HEAD, incoming.id === 1 ? 'text' : Buffer.from('bytes'));
    seen.push(response.started, response.over);
  };
  const { client } = await connect({ responder });
  await client.send(Buffer.concat([request({ id: 1, keep }), request({ id: 2, keep })]));
  await client.response(2);
  expect(seen).toEqual([false, false, true, true, false, false, true, true]);
});

describe('byte for byte', () => {
  const text = (value: string): string => Buffer.from(value, 'latin1').toString('hex');
  const head = 'Status: 200 OK\r\n\r\n';

  test.each([
    ['a text', (_request, response) => response.send(head, 'h\xe9'), [`0106000100140000${text(`${head}h\xe9`)}`]],
    ['bytes', (_request, response) => response.send(head, Buffer.from([0xe9])), [`0106000100130000${text(head)}e9`]],
    [
      'pieces',
      (_request, response) => {
        response.start(head);
        response.write('ab');
        response.write(new Uint8Array([0, 255]));
        response.end();
      },
      [`0106000100120000${text(head)}`, `0106000100020000${text('ab')}`, '010600010002000000ff'],
    ],
  ] as [string, Handler, string[]][])('%s, the end of STDOUT, END_REQUEST', async (_title, responder, stdout) => {
    const { client } = await connect({ responder });
    await client.send(request({ keep }));
    await client.response();
    expect(client.bytes.toString('hex')).toBe(
      [...stdout, '0106000100000000', '0103000100080000', '0000000000000000'].join(''),
    );
  });

  test('STDERR, aligned, with an appStatus, for id 515', async () => {
    const responder: Handler = (_request, response) => {
      response.stderr('oh');
      response.send(head, 'ab', 258);
    };
    const { client } = await connect({ responder, align: true });
    await client.send(request({ id: 515, keep }));
    await client.response(515);
    expect(client.bytes.toString('hex')).toBe(
      [
        `0107020300030500${text('oh\n')}${'00'.repeat(5)}`,
        `0106020300120600${text(head)}${'00'.repeat(6)}`,
        `0106020300020600${text('ab')}${'00'.repeat(6)}`,
        '0107020300000000',
        '0106020300000000',
        '0103020300080000',
        '0000010200000000',
      ].join(''),
    );
  });

  test('a refusal', async () => {
    const { client } = await connect({ maxParamsBytes: 1 });
    await client.send(request({ keep }));
    expect((await client.response()).stdout).toBe(
      'Status: 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n' +
        'Content-Length: 36\r\n\r\n431 Request Header Fields Too Large\n',
    );
  });
});

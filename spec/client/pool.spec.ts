// Connections: kept, shared out, waited for, lost, closed.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

import type { Client, ClientResponse } from '../../lib/client/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { output, type ScriptedApplication } from '../support/scripted-application.ts';
import { temporaryFolder } from '../support/temporary.ts';

const setup = clientAndApplication();
const folder = temporaryFolder();

const get = (client: Client): Promise<ClientResponse> => client.request({ params: { REQUEST_METHOD: 'GET' } });

/** Answer every request with its id and the number of its connection. */
function serveAll(application: ScriptedApplication): void {
  application.serve((request, connection) => {
    connection.answer(request.id, `A: b\r\n\r\n${application.connections.indexOf(connection)}:${request.id}`);
  });
}

async function text(response: Promise<ClientResponse>): Promise<string> {
  return (await response).text();
}

describe('a kept connection', () => {
  test('serves one request after the other, with the same id', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    serveAll(application);
    for (let i = 0; i < 5; i++) expect(await text(get(client))).toBe('0:1');
    expect(client.connections).toBe(1);
  });

  test('is not made where keepConn is off', async () => {
    const application = await setup.application();
    const client = setup.client(application, { keepConn: false });
    serveAll(application);
    for (let i = 0; i < 3; i++) {
      expect(await text(get(client))).toBe(`${i}:1`);
      expect(client.connections).toBe(0);
    }
  });

  test('that the application closes while it is idle is dropped silently', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    serveAll(application);
    expect(await text(get(client))).toBe('0:1');
    application.connections[0]?.end();
    await application.connections[0]?.closed;
    expect(await text(get(client))).toBe('1:1');
    expect(client.connections).toBe(1);
  });

  test('is closed when it has been idle for idleTimeout', async () => {
    const application = await setup.application();
    const client = setup.client(application, { idleTimeout: 20 });
    serveAll(application);
    await text(get(client));
    await application.connections[0]?.closed;
    expect(client.connections).toBe(0);
  });
});

describe('a used connection that dies before any answer', () => {
  /** One request served; the next one is on the same connection and not answered. */
  async function atSecondRequest(
    method: string,
    options: { stdin?: string | AsyncIterable<Uint8Array>; retry?: boolean } = {},
  ): Promise<{ application: ScriptedApplication; response: Promise<ClientResponse> }> {
    const application = await setup.application();
    const client = setup.client(application);
    const first = get(client);
    const connection = await application.connection();
    connection.answer((await connection.request()).id, HELLO);
    await text(first);
    const response = client.request({ params: { REQUEST_METHOD: method }, ...options });
    response.catch(() => {}); // looked at later
    await connection.request();
    connection.end();
    return { application, response };
  }

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', ''])('%s is sent again, on a fresh one', async (method) => {
    const { application, response } = await atSecondRequest(method, { stdin: 'body' });
    const connection = await application.connection();
    const request = await connection.request();
    expect(request.stdin.toString()).toBe('body');
    connection.answer(request.id, HELLO);
    expect((await response).status).toBe(200);
  });

  test('but once only', async () => {
    const { application, response } = await atSecondRequest('GET');
    const connection = await application.connection();
    await connection.request();
    connection.end();
    expect(await rejection(response)).toMatchObject({ code: 'CLOSED' });
    expect(application.connections).toHaveLength(2);
  });

  test.each(['POST', 'PATCH'])('%s may have been carried out, and fails', async (method) => {
    const { response } = await atSecondRequest(method);
    expect(await rejection(response)).toMatchObject({ code: 'CLOSED' });
  });

  test('POST is sent again where the caller says so', async () => {
    const { application, response } = await atSecondRequest('POST', { stdin: 'body', retry: true });
    const connection = await application.connection();
    const request = await connection.request();
    connection.answer(request.id, HELLO);
    expect((await response).status).toBe(200);
  });

  test('GET is not where the caller says so', async () => {
    const { response } = await atSecondRequest('GET', { retry: false });
    expect(await rejection(response)).toMatchObject({ code: 'CLOSED' });
  });

  test('a body that can be read once only is not', async () => {
    const stdin = (async function* () {
      yield Buffer.from('once');
    })();
    const { response } = await atSecondRequest('PUT', { stdin });
    expect(await rejection(response)).toMatchObject({ code: 'CLOSED' });
  });

  test('nor is anything of which an answer has come', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const first = get(client);
    const connection = await application.connection();
    connection.answer((await connection.request()).id, HELLO);
    await text(first);
    const second = get(client);
    connection.send(output((await connection.request()).id, 'Sta'));
    connection.end();
    expect(await rejection(second)).toMatchObject({ code: 'CLOSED' });
  });

  test('POST is sent again where it cannot have arrived', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const first = get(client);
    const connection = await application.connection();
    connection.answer((await connection.request()).id, HELLO);
    await (
      await first
    ).ended;
    connection.destroy();
    // In this turn the client has not been told that the connection is gone: it writes, and the system refuses.
    const second = client.request({ params: { REQUEST_METHOD: 'POST' }, stdin: 'body' });
    const fresh = await application.connection();
    const request = await fresh.request();
    expect(request.stdin.toString()).toBe('body');
    fresh.answer(request.id, HELLO);
    expect((await second).status).toBe(200);
  });

  test('it goes out before those that wait', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1 });
    const first = get(client);
    const used = await application.connection();
    used.answer((await used.request()).id, HELLO);
    await text(first);
    const names = ['retried', 'waiting'];
    const responses = names.map((name) => client.request({ params: { NAME: name } }));
    await used.request();
    used.end();
    const fresh = await application.connection();
    for (const name of names) {
      const request = await fresh.request();
      expect(request.params).toEqual([['NAME', name]]);
      fresh.answer(request.id, HELLO);
    }
    await Promise.all(responses);
  });

  test('a fresh connection is made even if others are idle, and room for it', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 2 });
    const both = [get(client), get(client)];
    const connections = [await application.connection(), await application.connection()] as const;
    for (const connection of connections) connection.answer((await connection.request()).id, HELLO);
    await Promise.all(both.map(text));
    const again = get(client);
    const used = await Promise.any(connections.map(async (connection) => (await connection.request()) && connection));
    used.end();
    const fresh = await application.connection();
    fresh.answer((await fresh.request()).id, HELLO);
    expect(await text(again)).toBe('hello');
    expect(client.connections).toBe(2);
  });
});

describe('more requests than connections', () => {
  test('wait in order, and each has its own answer', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 2 });
    const order: string[] = [];
    application.serve((request, connection) => {
      const [, name = ''] = request.params[0] ?? [];
      order.push(name);
      setImmediate(() => connection.answer(request.id, `A: b\r\n\r\n${name}`));
    });
    const names = Array.from({ length: 50 }, (_, i) => String(i));
    const responses = names.map((name) => text(client.request({ params: { NAME: name } })));
    expect(await Promise.all(responses)).toEqual(names);
    expect(order.map(Number).every((n, i) => Math.abs(n - i) < 2)).toBe(true);
    expect(application.connections).toHaveLength(2);
  });

  test('are refused beyond maxQueue', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1, maxQueue: 2 });
    const accepted = [get(client), get(client), get(client)];
    expect(await rejection(get(client))).toMatchObject({ code: 'QUEUE_FULL' });
    expect(await rejection(client.getValues([]))).toMatchObject({ code: 'QUEUE_FULL' });
    serveAll(application);
    expect(await Promise.all(accepted.map(text))).toEqual(['0:1', '0:1', '0:1']);
  });

  test('do not wait where maxQueue is 0, unless a connection is being made for them', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1, maxQueue: 0 });
    serveAll(application);
    const first = get(client);
    expect(await rejection(get(client))).toMatchObject({ code: 'QUEUE_FULL' });
    expect(await text(first)).toBe('0:1');
    expect(await text(get(client))).toBe('0:1');
  });

  test('fail when they have waited for queueTimeout', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1, queueTimeout: 20 });
    const first = get(client);
    const connection = await application.connection();
    const { id } = await connection.request();
    expect(await rejection(get(client))).toMatchObject({ code: 'QUEUE_TIMEOUT' });
    expect(client.waiting).toBe(0);
    connection.answer(id, HELLO);
    expect(await text(first)).toBe('hello');
  });
});

describe('no connection', () => {
  test.each([
    [
      'no such socket',
      () => `unix:${folder.join('none.sock')}`,
      'ENOENT',
      /no such socket; is the application running/,
    ],
    ['nobody listens', async () => `tcp:127.0.0.1:${await unusedPort()}`, 'ECONNREFUSED', /nobody listens there/],
  ])('%s', async (_what, address, code, message) => {
    const client = setup.client({ address: await address() });
    const error = await rejection(get(client));
    expect(error).toMatchObject({ name: 'ClientError', code: 'CONNECT_FAILED', cause: { code } });
    expect(error.message).toMatch(message);
    expect(client.connections).toBe(0);
  });

  test('every request that waits is told', async () => {
    const client = setup.client({ address: `unix:${folder.join('none.sock')}` }, { maxConnections: 2 });
    const errors = await Promise.all(Array.from({ length: 7 }, () => rejection(get(client))));
    expect(errors.map(({ code }) => code)).toEqual(Array(7).fill('CONNECT_FAILED'));
  });

  test('an application that comes up later is found', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    await application.close();
    expect(await rejection(get(client))).toMatchObject({ code: 'CONNECT_FAILED' });
    const server: Server = createServer((socket) => socket.destroy()).listen(application.address.slice(5));
    await once(server, 'listening');
    expect(await rejection(get(client))).toMatchObject({ code: 'CLOSED' });
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('close', () => {
  test('lets active requests end, fails those that wait, and refuses new ones', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1 });
    const active = get(client);
    const waiting = rejection(get(client));
    const connection = await application.connection();
    const { id } = await connection.request();
    const closed = client.close();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(await rejection(get(client))).toMatchObject({ code: 'CLOSED' });
    expect(await rejection(client.getValues([]))).toMatchObject({ code: 'CLOSED' });
    connection.answer(id, HELLO);
    expect(await text(active)).toBe('hello');
    await closed;
    await connection.closed;
    expect(client.connections).toBe(0);
  });

  test('closes idle connections at once', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    serveAll(application);
    await text(get(client));
    await client.close();
    expect(client.connections).toBe(0);
    await application.connections[0]?.closed;
    await client.close();
  });

  test('does not wait longer than closeTimeout', async () => {
    const application = await setup.application();
    const client = setup.client(application, { closeTimeout: 20 });
    const active = rejection(get(client));
    await (await application.connection()).request();
    await client.close();
    expect(await active).toMatchObject({ code: 'CLOSED' });
  });

  test('of a client that never connected', async () => {
    expect(await setup.client({ address: 'unix:/nowhere' }).close()).toBeUndefined();
  });

  test('destroy closes at once', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 2 });
    const [a, b] = [get(client), get(client)];
    const errors = [rejection(a), rejection(get(client))];
    const connections = [await application.connection(), await application.connection()];
    for (const connection of connections) await connection.request();
    connections[1]?.send(output(1, 'A: b\r\n\r\nbegun'));
    const begun = await b;
    client.destroy();
    expect((await Promise.all(errors)).map(({ code }) => code)).toEqual(['CLOSED', 'CLOSED']);
    expect(await rejection(begun.text())).toMatchObject({ code: 'TRUNCATED' });
    await client.close();
    expect(client.connections).toBe(0);
  });

  test('while connecting', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const waiting = rejection(get(client));
    await client.close();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
  });
});

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

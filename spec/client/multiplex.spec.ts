// Several requests at the same time on one connection.

import * as fc from 'fast-check';

import type { Client, ClientResponse } from '../../lib/client/index.ts';
import { END_REQUEST, STDERR, STDOUT, encodeEndRequest } from '../../lib/protocol/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { record } from '../support/collect-records.ts';
import { answer, output } from '../support/scripted-application.ts';

const setup = clientAndApplication();
const shared = { maxConnections: 1, maxRequestsPerConnection: 4 };

const named = (client: Client, name: string): Promise<ClientResponse> => client.request({ params: { NAME: name } });

test('share it, finish out of order, and have ids of their own until END_REQUEST', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const responses = ['a', 'b', 'c', 'd', 'e'].map((name) => named(client, name));
  const connection = await application.connection();
  const requests = [];
  for (let i = 0; i < 4; i++) requests.push(await connection.request());
  expect(requests.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  expect(requests.map(({ params }) => params[0]?.[1])).toEqual(['a', 'b', 'c', 'd']);
  expect(requests.every(({ keepConn }) => keepConn)).toBe(true);
  expect(client.waiting).toBe(1);

  connection.answer(3, 'A: b\r\n\r\nc');
  expect(await (await responses[2])?.text()).toBe('c');
  expect((await connection.request()).id).toBe(3); // the one that waited
  for (const [id, name] of [[4, 'd'], [1, 'a'], [3, 'e'], [2, 'b']] as const) connection.answer(id, `A: b\r\n\r\n${name}`); // prettier-ignore
  const texts = await Promise.all(responses.map(async (response) => (await response).text()));
  expect(texts).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(application.connections).toHaveLength(1);
});

test('further connections are made first', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 2, maxRequestsPerConnection: 2 });
  const responses = ['a', 'b', 'c', 'd'].map((name) => named(client, name));
  const connections = [await application.connection(), await application.connection()];
  for (const connection of connections) {
    for (let i = 1; i <= 2; i++) expect((await connection.request()).id).toBe(i);
    connection.send(answer(1, HELLO), answer(2, HELLO));
  }
  await Promise.all(responses);
});

test('answers interleaved at any byte reach the right requests', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 1, maxRequestsPerConnection: 64 });
  let turn: (() => void) | undefined;
  application.serve((_request, connection) => {
    if (connection.pieces.filter(([type]) => type === 1).length === 8) turn?.();
  });
  const pieces = fc.array(fc.tuple(fc.nat(7), fc.nat(40), fc.nat(3)), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 500 }), async (plan, cut) => {
      const ready = new Promise<void>((resolve) => (turn = resolve));
      const responses = Array.from({ length: 8 }, (_, i) => named(client, String(i)));
      await ready;
      const connection = application.connections[0];
      if (connection === undefined) throw new Error('no connection');
      connection.pieces.length = 0;
      // Ids are given again in any order: what counts is that each request gets what is sent for its id.
      const ids = Array.from({ length: 8 }, (_, i) => i + 1);
      const bodies = new Map(ids.map((id) => [id, `for ${id}:`]));
      const bytes: Buffer[] = ids.map((id) => output(id, `X-Id: ${id}\r\n\r\nfor ${id}:`));
      for (const [which, length, padding] of plan) {
        const id = which + 1;
        const text = String(id).repeat(length);
        if (length === 0) bytes.push(record(STDERR, id, 'noise', padding));
        else {
          bytes.push(record(STDOUT, id, text, padding));
          bodies.set(id, `${bodies.get(id)}${text}`);
        }
      }
      for (const id of ids.reverse()) bytes.push(encodeEndRequest(id, id, 0));
      const all = Buffer.concat(bytes);
      for (let at = 0; at < all.length; at += cut) connection.send(all.subarray(at, at + cut));
      const seen = new Set<number>();
      for (const response of await Promise.all(responses)) {
        const id = Number(response.header('x-id'));
        seen.add(id);
        expect(await response.text()).toBe(bodies.get(id));
        expect((await response.ended).appStatus).toBe(id);
      }
      expect(seen.size).toBe(8);
    }),
    { numRuns: 60 },
  );
});

test('one that is not read does not keep the others from their answers, within its window', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const slow = named(client, 'slow');
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, `A: b\r\n\r\n${'x'.repeat(500_000)}`));
  const { body } = await slow;
  for (let i = 0; i < 20; i++) {
    const other = named(client, 'other');
    connection.answer((await connection.request()).id, HELLO);
    expect(await (await other).text()).toBe('hello');
  }
  connection.send(encodeEndRequest(id, 0, 0));
  let length = 0;
  for await (const piece of body) length += (piece as Buffer).length;
  expect(length).toBe(500_000);
});

test('one that holds up the others beyond its window for stallTimeout is aborted', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, multiplexWindow: 10_000, stallTimeout: 20 });
  const slow = named(client, 'slow');
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, `A: b\r\n\r\n${'x'.repeat(20_000)}`));
  const { body, ended } = await slow;
  const other = named(client, 'other');
  expect(await rejection(ended)).toMatchObject({ code: 'SLOW_READER' });
  expect(await connection.abort()).toBe(id);
  const { id: otherId } = await connection.request();
  connection.answer(otherId, HELLO);
  expect(await (await other).text()).toBe('hello');
  const pieces: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of body) pieces.push(piece as Buffer);
  })();
  expect(await rejection(reading)).toMatchObject({ code: 'SLOW_READER' });
  expect(Buffer.concat(pieces)).toHaveLength(20_000);
});

test('a connection that is held up is given no further request', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 2, maxRequestsPerConnection: 2, multiplexWindow: 1000 });
  const responses = [named(client, 'slow'), named(client, 'b')] as const;
  const [first, second] = [await application.connection(), await application.connection()];
  await first.request();
  await second.request();
  first.send(output(1, `A: b\r\n\r\n${'x'.repeat(10_000)}`));
  const { body } = await responses[0];
  const other = named(client, 'other');
  const { id } = await second.request();
  second.answer(id, HELLO);
  expect(await (await other).text()).toBe('hello');
  first.answer(1, 'x');
  second.answer(1, HELLO);
  for await (const piece of body) expect(piece).toBeDefined();
  await responses[1];
});

test('two that are not read: the socket is read again when both have room', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, multiplexWindow: 1000 });
  const responses = [named(client, 'a'), named(client, 'b')] as const;
  const connection = await application.connection();
  await connection.request();
  await connection.request();
  const many = 'x'.repeat(20_000);
  connection.send(output(1, `A: b\r\n\r\n${many}`), output(2, `A: b\r\n\r\n${many}`));
  const [a, b] = await Promise.all(responses);
  a.body.resume();
  const piece = output(2, Buffer.alloc(65_528));
  let taken = 0;
  const sending = (async () => {
    for (; taken < 200; taken++) await new Promise((resolve) => connection.socket.write(piece, resolve));
    connection.send(encodeEndRequest(1, 0, 0), encodeEndRequest(2, 0, 0));
  })();
  for (let i = 0; i < 200; i++) await new Promise(setImmediate);
  expect(taken).toBeLessThan(20);
  expect(await b.bytes()).toHaveLength(20_000 + 200 * 65_528);
  await Promise.all([sending, a.ended]);
});

test('one with nobody else to hold up may take its time', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, multiplexWindow: 1000, stallTimeout: 5, bodyTimeout: 5 });
  const slow = named(client, 'slow');
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.answer(id, `A: b\r\n\r\n${'x'.repeat(500_000)}`);
  const { body } = await slow;
  await new Promise((resolve) => setTimeout(resolve, 30)); // several times its deadlines
  let length = 0;
  for await (const piece of body) length += (piece as Buffer).length;
  expect(length).toBe(500_000);
});

test('the end of the connection fails each of them', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const responses = ['a', 'b', 'c'].map((name) => named(client, name));
  const errors = [rejection(responses[0] as Promise<unknown>), rejection(responses[1] as Promise<unknown>)];
  const connection = await application.connection();
  for (let i = 0; i < 3; i++) await connection.request();
  connection.send(output(3, 'A: b\r\n\r\nbegun'));
  const begun = await responses[2];
  connection.end();
  expect((await Promise.all(errors)).map(({ code }) => code)).toEqual(['CLOSED', 'CLOSED']);
  expect(await rejection(begun?.text() as Promise<string>)).toMatchObject({ code: 'TRUNCATED' });
});

test('without keepConn the client closes when the last one has ended', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, keepConn: false });
  const responses = ['a', 'b'].map((name) => named(client, name));
  const connection = await application.connection();
  expect((await connection.request()).keepConn).toBe(true);
  await connection.request();
  connection.answer(1, HELLO);
  expect(await (await responses[0])?.text()).toBe('hello');
  connection.answer(2, HELLO);
  expect(await (await responses[1])?.text()).toBe('hello');
  await connection.closed;
});

test('an application that refuses to multiplex is told so by code', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const responses = ['a', 'b'].map((name) => named(client, name));
  const refused = rejection(responses[1] as Promise<unknown>);
  const connection = await application.connection();
  await connection.request();
  await connection.request();
  connection.send(encodeEndRequest(2, 0, 1), answer(1, HELLO));
  expect(await refused).toMatchObject({ code: 'CANT_MPX_CONN' });
  expect(await (await responses[0])?.text()).toBe('hello');
});

test('END_REQUEST twice, or for nobody, changes nothing', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const first = named(client, 'a');
  const connection = await application.connection();
  await connection.request();
  connection.send(answer(1, HELLO), encodeEndRequest(1, 9, 0), record(END_REQUEST, 2, Buffer.alloc(8)));
  expect(await (await first).ended).toEqual({ appStatus: 0, protocolStatus: 0 });
  const second = named(client, 'b');
  expect((await connection.request()).id).toBe(1);
  connection.answer(1, HELLO);
  expect(await (await second).text()).toBe('hello');
});

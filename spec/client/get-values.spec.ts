// GET_VALUES: what the application tells of itself (specification 4.1).

import { encodeGetValuesResult, encodeUnknownType } from '../../lib/protocol/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { record } from '../support/collect-records.ts';

const setup = clientAndApplication();
const NAMES = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS'];

test('asks for names, and gives the values that are known', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const values = client.getValues(new Set([...NAMES, 'UNKNOWN']));
  const connection = await application.connection();
  expect(await connection.query()).toEqual([...NAMES, 'UNKNOWN']);
  connection.send(encodeGetValuesResult([['FCGI_MAX_CONNS', '10'], ['FCGI_MPXS_CONNS', '0']])); // prettier-ignore
  expect(await values).toEqual(new Map([['FCGI_MAX_CONNS', '10'], ['FCGI_MPXS_CONNS', '0']])); // prettier-ignore
});

test('an empty question has an empty answer', async () => {
  const application = await setup.application();
  const values = setup.client(application).getValues([]);
  const connection = await application.connection();
  expect(await connection.query()).toEqual([]);
  connection.send(encodeGetValuesResult([]));
  expect(await values).toEqual(new Map());
});

test('shares kept connections with requests', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 1 });
  const first = client.getValues(NAMES);
  const second = client.request({ params: {} });
  const third = client.getValues(['A']);
  const connection = await application.connection();
  await connection.query();
  connection.send(encodeGetValuesResult([]));
  await first;
  connection.answer((await connection.request()).id, HELLO);
  expect(await (await second).text()).toBe('hello');
  expect(await connection.query()).toEqual(['A']);
  connection.send(encodeGetValuesResult([['A', 'b']]));
  expect((await third).get('A')).toBe('b');
  expect(application.connections).toHaveLength(1);
});

test('among requests on a multiplexed connection, answers come in the order of questions', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 1, maxRequestsPerConnection: 5 });
  const request = client.request({ params: {} });
  const answers = ['A', 'B', 'C'].map((name) => client.getValues([name]));
  const connection = await application.connection();
  for (const name of ['A', 'B', 'C']) {
    expect(await connection.query()).toEqual([name]);
    connection.send(encodeGetValuesResult([[name, `of ${name}`]]));
  }
  expect((await Promise.all(answers)).map((values) => [...values][0])).toEqual([
    ['A', 'of A'],
    ['B', 'of B'],
    ['C', 'of C'],
  ]);
  connection.answer((await connection.request()).id, HELLO);
  expect(await (await request).text()).toBe('hello');
});

test('an application that does not know the question', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const values = rejection(client.getValues(NAMES));
  const connection = await application.connection();
  await connection.query();
  connection.send(encodeUnknownType(9));
  expect(await values).toMatchObject({ code: 'UNKNOWN_TYPE' });
  const request = client.request({ params: {} });
  connection.answer((await connection.request()).id, HELLO);
  expect((await request).status).toBe(200);
});

test('an application that closes instead', async () => {
  const application = await setup.application();
  const values = rejection(setup.client(application).getValues(NAMES));
  const connection = await application.connection();
  await connection.query();
  connection.end();
  expect(await values).toMatchObject({ code: 'CLOSED' });
});

test('a used connection that has died: asked again on a fresh one, once', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const first = client.getValues([]);
  const used = await application.connection();
  await used.query();
  used.send(encodeGetValuesResult([]));
  await first;
  const second = client.getValues(['A']);
  await used.query();
  used.end();
  const fresh = await application.connection();
  expect(await fresh.query()).toEqual(['A']);
  fresh.send(encodeGetValuesResult([['A', 'b']]));
  expect([...(await second)]).toEqual([['A', 'b']]);
});

test('an application that does not answer: the connection is given up', async () => {
  const application = await setup.application();
  const client = setup.client(application, { headTimeout: 20 });
  const values = rejection(client.getValues(NAMES));
  const connection = await application.connection();
  await connection.query();
  expect(await values).toMatchObject({ code: 'HEAD_TIMEOUT' });
  await connection.closed;
});

test('an application that answers too late, on a multiplexed connection: nobody takes the answer for theirs', async () => {
  const application = await setup.application();
  const client = setup.client(application, { maxConnections: 1, maxRequestsPerConnection: 5, headTimeout: 150 });
  const request = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(record(6, id, 'A: b\r\n\r\n'));
  const { body } = await request;
  expect(await rejection(client.getValues(['A']))).toMatchObject({ code: 'HEAD_TIMEOUT' });
  const waiting = rejection(client.getValues(['B']));
  expect(client.waiting).toBe(1);
  connection.send(encodeGetValuesResult([['A', 'late']]));
  connection.answer(id, 'hello');
  let text = '';
  for await (const piece of body) text += String(piece);
  expect(text).toBe('hello');
  await connection.closed;
  client.destroy();
  await waiting;
});

test.each([
  ['pairs that are cut', record(10, 0, '\x05\x05ab'), 'BAD_PAIR'],
  ['more than its bound', record(10, 0, Buffer.alloc(5000)), 'TOO_LARGE'],
])('an answer of %s', async (_what, bytes, code) => {
  const application = await setup.application();
  const values = rejection(setup.client(application).getValues(NAMES));
  const connection = await application.connection();
  await connection.query();
  connection.send(bytes);
  expect(await values).toMatchObject({ code: 'BAD_RESPONSE', cause: { name: 'ProtocolError', code } });
  await connection.closed;
});

// Deadlines: of connecting, of the head, of the body.

import { Socket } from 'node:net';

import type { ClientResponse } from '../../lib/client/index.ts';
import { STDERR } from '../../lib/protocol/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { record } from '../support/collect-records.ts';
import { answer, output } from '../support/scripted-application.ts';

const setup = clientAndApplication();

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('no connection within connectTimeout', async () => {
  const connect = jest.spyOn(Socket.prototype, 'connect').mockReturnThis(); // as to a host that does not answer
  const client = setup.client({ address: 'tcp:127.0.0.1:9000' }, { connectTimeout: 20 });
  const error = await rejection(client.request({ params: {} }));
  connect.mockRestore();
  expect(error).toMatchObject({ code: 'CONNECT_TIMEOUT', message: 'tcp:127.0.0.1:9000: no connection in 20 ms' });
  expect(client.connections).toBe(0);
});

test('no head within headTimeout: the request fails and the connection is closed', async () => {
  const application = await setup.application();
  const client = setup.client(application, { headTimeout: 30 });
  const response = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(record(STDERR, id, 'working on it'), output(id, 'Status: 200'));
  expect(await rejection(response)).toMatchObject({ code: 'HEAD_TIMEOUT', stderr: 'working on it' });
  await connection.closed;
  expect(await rejection(connection.abort())).toBeDefined(); // no ABORT_REQUEST
});

test('no head within headTimeout on a multiplexed connection: the request is aborted, the others go on', async () => {
  const application = await setup.application();
  const client = setup.client(application, { headTimeout: 200, maxConnections: 1, maxRequestsPerConnection: 2 });
  const response = client.request({ params: {} });
  const other = client.request({ params: {} });
  const connection = await application.connection();
  await connection.request();
  const { id } = await connection.request();
  connection.send(output(id, 'A: b\r\n\r\n'));
  expect(await rejection(response)).toMatchObject({ code: 'HEAD_TIMEOUT' });
  expect(await connection.abort()).toBe(1);
  connection.answer(id, 'hello');
  expect(await (await other).text()).toBe('hello');
});

test('headTimeout does not run while the request is still being sent', async () => {
  const application = await setup.application();
  const client = setup.client(application, { headTimeout: 1000 });
  const stdin = (async function* () {
    for (let i = 0; i < 8; i++) {
      yield Buffer.from('x');
      await sleep(150);
    }
  })();
  const response = client.request({ params: {}, stdin });
  const connection = await application.connection();
  const request = await connection.request();
  expect(request.stdin.toString()).toBe('xxxxxxxx');
  connection.answer(request.id, HELLO);
  expect((await response).status).toBe(200);
});

test('headTimeout runs where the application does not read', async () => {
  const application = await setup.application();
  const client = setup.client(application, { headTimeout: 30 });
  const response = client.request({ params: {}, stdin: Buffer.alloc(10_000_000) });
  const connection = await application.connection();
  connection.socket.pause();
  expect(await rejection(response)).toMatchObject({ code: 'HEAD_TIMEOUT' });
});

test('nothing of the body within bodyTimeout', async () => {
  const application = await setup.application();
  const client = setup.client(application, { bodyTimeout: 30 });
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, 'A: b\r\n\r\nbegun'));
  const response = await promise;
  expect(await rejection(response.text())).toMatchObject({ code: 'BODY_TIMEOUT' });
  expect(await rejection(response.ended)).toMatchObject({ code: 'BODY_TIMEOUT' });
  await connection.closed;
});

test('bodyTimeout is between two pieces, not for all of them', async () => {
  const application = await setup.application();
  const client = setup.client(application, { bodyTimeout: 1000 });
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, 'A: b\r\n\r\n'));
  const response = await promise;
  for (let i = 0; i < 8; i++) {
    await sleep(150);
    connection.send(output(id, 'x'));
  }
  connection.answer(id, 'y');
  expect(await response.text()).toBe('xxxxxxxxy');
});

test('bodyTimeout does not run while it is the reader who is slow', async () => {
  const application = await setup.application();
  const client = setup.client(application, { bodyTimeout: 20, window: 1000 });
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.answer(id, `A: b\r\n\r\n${'x'.repeat(1_000_000)}`);
  const response = await promise;
  await sleep(60);
  expect(await response.text()).toHaveLength(1_000_000);
});

test('deadlines of others do not run while a slow reader holds their connection up', async () => {
  const application = await setup.application();
  const client = setup.client(application, {
    maxConnections: 1,
    maxRequestsPerConnection: 3,
    multiplexWindow: 1000,
    headTimeout: 150,
    bodyTimeout: 150,
  });
  const promises = [1, 2, 3].map(() => client.request({ params: {} }));
  const [slow, begun, silent] = promises as [Promise<ClientResponse>, Promise<ClientResponse>, Promise<ClientResponse>];
  const connection = await application.connection();
  for (let i = 0; i < 3; i++) await connection.request();
  connection.send(output(2, 'A: b\r\n\r\n'), output(1, `A: b\r\n\r\n${'x'.repeat(100_000)}`));
  const { body } = await slow;
  await begun;
  await sleep(400);
  connection.send(answer(2, 'hello'), answer(3, HELLO), answer(1, ''));
  body.resume();
  expect(await (await begun).text()).toBe('hello');
  expect(await (await silent).text()).toBe('hello');
});

test.each([Infinity, 2 ** 31])('a deadline of %d does not pass at once', async (never) => {
  const application = await setup.application();
  const client = setup.client(application, {
    headTimeout: never,
    bodyTimeout: never,
    queueTimeout: never,
    connectTimeout: never,
    idleTimeout: never,
  });
  application.serve((request, connection) => connection.answer(request.id, HELLO));
  for (let i = 0; i < 2; i++) {
    expect(await (await client.request({ params: {} })).text()).toBe('hello');
    await sleep(20);
  }
  expect(application.connections).toHaveLength(1);
});

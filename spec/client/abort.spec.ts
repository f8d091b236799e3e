// Requests that nobody wants any more: the caller's signal, a body that is destroyed (specification 5.4).

import { getEventListeners, once } from 'node:events';

import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { output } from '../support/scripted-application.ts';

const setup = clientAndApplication();
const kept = { maxConnections: 1 };
const shared = { maxConnections: 1, maxRequestsPerConnection: 4 };

const why = new Error('user went away');

test('before it was made: nothing is sent', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const signal = AbortSignal.abort(why);
  expect(await rejection(client.request({ params: {}, signal }))).toMatchObject({
    name: 'AbortError',
    code: 'ABORTED',
    cause: why,
  });
  expect(client.connections).toBe(0);
});

test('while it waits for a connection: it leaves the queue', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const first = client.request({ params: {} });
  const controller = new AbortController();
  const second = client.request({ params: {}, signal: controller.signal });
  const third = client.request({ params: { NAME: 'third' } });
  expect(client.waiting).toBe(3);
  controller.abort(why);
  expect(await rejection(second)).toMatchObject({ code: 'ABORTED', cause: why });
  const connection = await application.connection();
  for (const response of [first, third]) {
    connection.answer((await connection.request()).id, HELLO);
    expect(await (await response).text()).toBe('hello');
  }
});

test('while its connection is being made', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const controller = new AbortController();
  const response = client.request({ params: {}, signal: controller.signal });
  controller.abort(why);
  expect(await rejection(response)).toMatchObject({ code: 'ABORTED' });
  const again = client.request({ params: { NAME: 'again' } });
  const connection = await application.connection();
  const request = await connection.request();
  expect(request.params).toEqual([['NAME', 'again']]);
  connection.answer(request.id, HELLO);
  expect(await (await again).text()).toBe('hello');
});

test('while its connection is being made, which is then idle', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...kept, idleTimeout: 20 });
  const controller = new AbortController();
  const response = client.request({ params: {}, signal: controller.signal });
  controller.abort(why);
  await rejection(response);
  await (
    await application.connection()
  ).closed;
  expect(client.connections).toBe(0);
});

test('on a connection of its own that is not kept: it is closed', async () => {
  const application = await setup.application();
  const client = setup.client(application, { keepConn: false });
  const controller = new AbortController();
  const response = client.request({ params: {}, signal: controller.signal });
  const connection = await application.connection();
  await connection.request();
  controller.abort(why);
  expect(await rejection(response)).toMatchObject({ code: 'ABORTED', cause: why });
  await connection.closed;
  expect(await rejection(connection.abort())).toBeDefined(); // no ABORT_REQUEST
});

test('on a kept connection: ABORT_REQUEST is sent, and nothing else until END_REQUEST', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const controller = new AbortController();
  const response = client.request({ params: {}, signal: controller.signal });
  const connection = await application.connection();
  const { id } = await connection.request();
  controller.abort(why);
  expect(await rejection(response)).toMatchObject({ code: 'ABORTED' });
  expect(await connection.abort()).toBe(id);
  const next = client.request({ params: { NAME: 'next' } });
  expect(client.waiting).toBe(1);
  connection.send(output(id, 'A: b\r\n\r\ntoo late'));
  connection.answer(id, 'more', 1);
  const request = await connection.request();
  connection.answer(request.id, HELLO);
  expect(await (await next).text()).toBe('hello');
  expect(application.connections).toHaveLength(1);
});

test('on a kept connection in the middle of STDIN: it is closed, for it cannot be used again', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const controller = new AbortController();
  const stdin = (async function* () {
    yield Buffer.from('begun');
    await once(controller.signal, 'abort');
    await new Promise(() => {});
  })();
  const response = client.request({ params: {}, stdin, signal: controller.signal });
  const connection = await application.connection();
  await connection.head();
  controller.abort(why);
  expect(await rejection(response)).toMatchObject({ code: 'ABORTED' });
  await connection.closed;
  expect(await rejection(connection.abort())).toBeDefined(); // no ABORT_REQUEST
});

test('on a kept connection whose application does not answer: it is closed after abortTimeout', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...kept, abortTimeout: 20 });
  const controller = new AbortController();
  const response = client.request({ params: {}, signal: controller.signal });
  const connection = await application.connection();
  await connection.request();
  controller.abort(why);
  await rejection(response);
  await connection.closed;
  expect(client.connections).toBe(0);
});

test('on a multiplexed connection: the id is not used until END_REQUEST, and the others go on', async () => {
  const application = await setup.application();
  const client = setup.client(application, shared);
  const controller = new AbortController();
  const aborted = client.request({ params: {}, signal: controller.signal });
  const other = client.request({ params: {} });
  const connection = await application.connection();
  expect([(await connection.request()).id, (await connection.request()).id]).toEqual([1, 2]);
  controller.abort(why);
  expect(await rejection(aborted)).toMatchObject({ code: 'ABORTED' });
  expect(await connection.abort()).toBe(1);
  const third = client.request({ params: {} });
  expect((await connection.request()).id).toBe(3);
  connection.answer(1, 'A: b\r\n\r\nlate');
  connection.answer(2, HELLO);
  connection.answer(3, HELLO);
  expect(await (await other).text()).toBe('hello');
  expect(await (await third).text()).toBe('hello');
  const fourth = client.request({ params: {} });
  expect([1, 2, 3]).toContain((await connection.request()).id);
  client.destroy();
  await rejection(fourth);
});

test('on a multiplexed connection whose application does not answer: it takes no more, and closes after the others', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, maxConnections: 2, abortTimeout: 10 });
  const controller = new AbortController();
  const responses = [
    client.request({ params: {}, signal: controller.signal }),
    client.request({ params: {} }),
    client.request({ params: {} }),
  ] as const;
  const first = await application.connection();
  const second = await application.connection();
  expect((await first.request()).id).toBe(1);
  expect((await first.request()).id).toBe(2);
  expect((await second.request()).id).toBe(1);
  controller.abort(why);
  await rejection(responses[0]);
  expect(await first.abort()).toBe(1);
  second.answer(1, HELLO);
  await (
    await responses[1]
  ).ended;
  await new Promise((resolve) => setTimeout(resolve, 30)); // abortTimeout has passed: the first connection is given up
  const next = client.request({ params: {} });
  second.answer((await second.request()).id, HELLO);
  expect(await (await next).text()).toBe('hello');
  first.answer(2, HELLO);
  expect(await (await responses[2]).text()).toBe('hello');
  await first.closed;
});

test('while its body comes: the body fails after what came', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const controller = new AbortController();
  const promise = client.request({ params: {}, signal: controller.signal });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, 'A: b\r\n\r\nbegun'));
  const response = await promise;
  const text = rejection(response.text());
  controller.abort(why);
  expect(await text).toMatchObject({ code: 'ABORTED', cause: why });
  expect(await rejection(response.ended)).toMatchObject({ code: 'ABORTED' });
  expect(await connection.abort()).toBe(id);
});

test('after its end: nothing happens', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const controller = new AbortController();
  const promise = client.request({ params: {}, signal: controller.signal });
  const connection = await application.connection();
  connection.answer((await connection.request()).id, HELLO);
  const response = await promise;
  await response.ended;
  controller.abort(why);
  expect(await response.text()).toBe('hello');
  const again = client.request({ params: {} });
  connection.answer((await connection.request()).id, HELLO);
  expect(await (await again).text()).toBe('hello');
});

test('a signal is not listened to once the request is over', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const { signal } = new AbortController();
  application.serve((request, connection) => connection.answer(request.id, HELLO));
  for (let i = 0; i < 3; i++) await (await client.request({ params: {}, signal })).text();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('a body that is destroyed before its end aborts the request', async () => {
  const application = await setup.application();
  const client = setup.client(application, { keepConn: false });
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, `A: b\r\n\r\n${'x'.repeat(1000)}`));
  const response = await promise;
  for await (const piece of response.body) {
    expect(piece).toHaveLength(1000);
    break;
  }
  expect(await rejection(response.ended)).toMatchObject({ code: 'ABORTED' });
  await connection.closed;
});

test('a body that is destroyed after END_REQUEST does not', async () => {
  const application = await setup.application();
  const client = setup.client(application, kept);
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  connection.answer((await connection.request()).id, HELLO);
  const response = await promise;
  await response.ended;
  response.body.destroy();
  await once(response.body, 'close');
  expect(await response.ended).toEqual({ appStatus: 0, protocolStatus: 0 });
  const again = client.request({ params: {} });
  connection.answer((await connection.request()).id, HELLO);
  expect(await (await again).text()).toBe('hello');
});

test('a paused body that is destroyed lets the others on its connection go on', async () => {
  const application = await setup.application();
  const client = setup.client(application, { ...shared, multiplexWindow: 1000 });
  const promise = client.request({ params: {} });
  const connection = await application.connection();
  const { id } = await connection.request();
  connection.send(output(id, `A: b\r\n\r\n${'x'.repeat(100_000)}`));
  const response = await promise;
  response.body.destroy();
  await once(response.body, 'close');
  connection.send(output(id, 'x'.repeat(300_000)));
  const other = client.request({ params: {} });
  connection.answer((await connection.request()).id, HELLO);
  expect(await (await other).text()).toBe('hello');
});

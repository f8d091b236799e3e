// The lab's client, and how it calls what it does not get.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { SiteClient, type Failure } from '../../../lib/lab/run/client.ts';
import { ERROR_HEADER, siteRequest } from '../../../lib/lab/site/index.ts';

const ASKED = siteRequest(3);
let server: Server;
let client: SiteClient;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((request, response) => answer(request, response));
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  client.close();
  sockets.clear();
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function ask(timeout = 10_000, port = (server.address() as AddressInfo).port): Promise<Failure | undefined> {
  client = new SiteClient(port, timeout, 2);
  return client.ask(ASKED);
}

/** Answers with so much. */
function says(status: number, body: string, headers: Record<string, string> = {}): void {
  answer = (_, response) => response.writeHead(status, headers).end(body);
}

test('the page that was asked for is no failure; the request has its number and its session', async () => {
  let seen: IncomingMessage | undefined;
  answer = (request, response) => {
    seen = request;
    response.end(ASKED.page);
  };
  expect(await ask()).toBeUndefined();
  expect(seen?.url).toBe('/admin/polls/3/');
  expect(seen?.headers['x-lab-request']).toBe('3');
  expect(seen?.headers.cookie).toBe(`${ASKED.headers['Cookie']}`);
});

test('another page is somebody else’s', async () => {
  says(200, siteRequest(4).page);
  expect(await ask()).toEqual({ kind: 'crossed', text: 'another page than was asked for' });
});

test.each([
  ['OperationalError', 'OperationalError'],
  ['InterfaceError', 'InterfaceError'],
  ['TypeError', 'other'],
  ['HttpError', 'other'],
])('the site’s page of a %s: %s, with its text', async (name, kind) => {
  says(500, `${name}: it went wrong\n`, { [ERROR_HEADER]: name });
  expect(await ask()).toEqual({ kind, text: `${name}: it went wrong` });
});

test('of a long page the beginning', async () => {
  says(500, 'x'.repeat(5000), { [ERROR_HEADER]: 'Error' });
  expect((await ask())?.text).toBe('x'.repeat(2000));
});

test.each([502, 503, 404])('%d that is not the site’s is the web server’s', async (status) => {
  says(status, '<html>a page of its own</html>');
  expect(await ask()).toEqual({ kind: 'other', text: `${status} from the web server` });
});

test('no answer in time is a hang, and the connection is closed', async () => {
  let gone: Promise<unknown> | undefined;
  answer = (request) => {
    gone = new Promise((resolve) => request.socket.once('close', resolve));
  };
  expect(await ask(50)).toEqual({ kind: 'hang', text: 'no answer within 50 ms' });
  await gone;
});

test('half an answer in time is a hang', async () => {
  answer = (_, response) => response.writeHead(200, { 'Content-Length': '1000' }).write('half');
  expect((await ask(100))?.kind).toBe('hang');
});

test('a connection that breaks off before or in the answer is none', async () => {
  answer = (request) => request.socket.destroy();
  expect(await ask()).toEqual({ kind: 'other', text: 'no answer: socket hang up' });
  client.close();
  answer = (request, response) => {
    response.writeHead(200, { 'Content-Length': '1000' });
    response.write('half', () => request.socket.destroy());
  };
  expect(await ask()).toEqual({ kind: 'other', text: 'no answer: aborted' });
});

test('nobody listens', async () => {
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  const { port } = nobody.address() as AddressInfo;
  await new Promise((resolve) => nobody.close(resolve));
  expect(await ask(10_000, port)).toEqual({
    kind: 'other',
    text: expect.stringMatching(/^no answer: connect ECONNREFUSED 127\.0\.0\.1/) as string,
  });
});

test('what it was asking when it is closed is not answered', async () => {
  answer = () => client.close();
  expect(await ask()).toEqual({ kind: 'other', text: 'no answer: socket hang up' });
});

test('requests one after the other have one connection; at a time so many', async () => {
  says(200, ASKED.page);
  expect([await ask(), await client.ask(ASKED), await client.ask(ASKED)]).toEqual([undefined, undefined, undefined]);
  expect(sockets.size).toBe(1);
  const asked = await Promise.all(Array.from({ length: 6 }, () => client.ask(ASKED)));
  expect(asked.every((failure) => failure === undefined)).toBe(true);
  expect(sockets.size).toBe(2);
});

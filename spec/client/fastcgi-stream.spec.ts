// The client against an application made with fastcgi-stream, an independent implementation.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

import { Client, FILTER } from '../../lib/client/index.ts';
import { BEGIN_REQUEST, DATA, GET_VALUES, PARAMS, STDIN } from '../../lib/protocol/index.ts';
import { FastCGIStream, pairsOf, records, type PeerPair } from '../support/fastcgi-stream.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
let server: Server;
let address: string;

/** Echoes PARAMS as fields, STDIN and DATA as the body, in records of the peer's making. */
function serve(): Server {
  return createServer((socket) => {
    const peer = new FastCGIStream(socket);
    const requests = new Map<number, { keep: boolean; role: number; params: PeerPair[]; bytes: Buffer[] }>();
    socket.on('error', () => {});
    peer.on('record', (id, record) => {
      if (record.TYPE === GET_VALUES) {
        const known = pairsOf(record.values).filter(([name]) => name === 'FCGI_MPXS_CONNS');
        return peer.writeRecord(0, new records.GetValuesResult(known.map(([name]) => [name, '1'])));
      }
      if (record.TYPE === BEGIN_REQUEST) {
        return requests.set(id, { keep: record.flags === 1, role: record.role ?? 0, params: [], bytes: [] });
      }
      const request = requests.get(id);
      if (request === undefined) return undefined;
      if (record.TYPE === PARAMS) request.params.push(...(record.params ?? []));
      const isLast = record.TYPE === (request.role === FILTER ? DATA : STDIN) && !record.data;
      if ((record.TYPE === STDIN || record.TYPE === DATA) && record.data) request.bytes.push(record.data);
      if (!isLast) return undefined;
      requests.delete(id);
      const fields = pairsOf(request.params).map(([name, value]) => `X-${name}: ${value}\r\n`);
      peer.writeRecord(id, new records.StdErr(`request ${id}`));
      peer.writeRecord(id, new records.StdOut(`Status: 200 OK\r\n${fields.join('')}\r\n`));
      const body = Buffer.concat(request.bytes);
      for (let at = 0; at < body.length; at += 8000) {
        peer.writeRecord(id, new records.StdOut(body.subarray(at, at + 8000)));
      }
      peer.writeRecord(id, new records.StdOut());
      peer.writeRecord(id, new records.EndRequest(body.length, 0), () => request.keep || socket.end());
      return undefined;
    });
  });
}

beforeAll(async () => {
  address = `unix:${folder.join('peer.sock')}`;
  server = serve().listen(folder.join('peer.sock'));
  await once(server, 'listening');
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 0xff));

test.each([
  ['one connection each', { keepConn: false }],
  ['kept connections', { maxConnections: 2 }],
  ['multiplexed', { maxConnections: 1, maxRequestsPerConnection: 8 }],
])('many requests, %s', async (_what, options) => {
  const client = new Client({ address, ...options });
  const responses = Array.from({ length: 40 }, async (_, i) => {
    const stdin = body.subarray(0, (i * 2503) % body.length);
    const response = await client.request({ params: { NAME: `v${i}`, LONG: 'x'.repeat(200) }, stdin });
    expect(response.headers).toEqual([
      ['X-NAME', `v${i}`],
      ['X-LONG', 'x'.repeat(200)],
    ]);
    expect((await response.bytes()).equals(stdin)).toBe(true);
    expect(await response.ended).toEqual({ appStatus: stdin.length, protocolStatus: 0 });
    expect(response.stderr).toMatch(/^request \d$/);
  });
  await Promise.all(responses);
  await client.close();
});

test('a filter', async () => {
  const client = new Client({ address });
  const response = await client.request({ role: FILTER, params: {}, stdin: 'in,', data: 'file' });
  expect(await response.text()).toBe('in,file');
  await client.close();
});

test('GET_VALUES', async () => {
  const client = new Client({ address });
  expect([...(await client.getValues(['FCGI_MAX_CONNS', 'FCGI_MPXS_CONNS']))]).toEqual([['FCGI_MPXS_CONNS', '1']]);
  await client.close();
});

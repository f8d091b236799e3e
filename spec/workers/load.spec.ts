// The load of these specs: what is wrong with an answer is a failure, whatever it is.

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { byHttp, Load } from '../support/load.ts';

describe('load', () => {
  let server: Server;
  let answer: (response: ServerResponse, nonce: string, payload: string) => void;
  const head = (nonce: string): string => JSON.stringify({ nonce, pid: 1, version: 1 });

  beforeEach(async () => {
    server = createServer((request, response) => {
      const [, , nonce = '', bytes] = (request.url ?? '').split('/');
      request.resume();
      request.on('end', () => answer(response, nonce, nonce.repeat(10_000).slice(0, Number(bytes))));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function ask(count: number): Promise<Load> {
    const { port } = server.address() as AddressInfo;
    const load = new Load([byHttp('server', port, true), byHttp('server', port, false)]);
    while (load.asked < count) await new Promise((resolve) => setImmediate(resolve));
    await load.stop();
    expect(load.asked).toBe(load.answers + load.failures.length);
    return load;
  }

  test('right answers are answers', async () => {
    answer = (response, nonce, payload) => void response.end(`${head(nonce)}\n${payload}`);
    const load = await ask(20);
    expect(load.failures).toEqual([]);
    expect(load.pids).toEqual(new Set([1]));
  });

  test.each<[string, typeof answer]>([
    ['another status', (response, nonce, payload) => void response.writeHead(502).end(`${head(nonce)}\n${payload}`)],
    ['another nonce', (response, nonce, payload) => void response.end(`${head(`${nonce}0`)}\n${payload}`)],
    ['a byte too many', (response, nonce, payload) => void response.end(`${head(nonce)}\n${payload}0`)],
    ['no head', (response, _nonce, payload) => void response.end(payload)],
    ['nothing', (response) => void response.end()],
    ['a closed connection', (response) => void response.destroy()],
    [
      'a cut body',
      (response, nonce, payload) => {
        response.writeHead(200, { 'Content-Length': '1000000' });
        response.write(`${head(nonce)}\n${payload}`, () => response.destroy());
      },
    ],
  ])('%s is a failure', async (_what, wrong) => {
    answer = wrong;
    const load = await ask(10);
    expect(load.answers).toBe(0);
    expect(load.failures.every(({ nonce, what }) => nonce !== '' && what !== '')).toBe(true);
  });
});

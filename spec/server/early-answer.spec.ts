// An answer before the body has come (RELIABILITY S30): the web server gets all of it, however it goes about reading.

import type { Handler } from '../../lib/server/index.ts';
import { head, request, STDIN, stream } from '../support/raw-records.ts';
import { HEAD, servers } from '../support/servers.ts';

const { start } = servers();
const MiB = 1024 * 1024;
const body = Buffer.alloc(16 * MiB);

const answers: [string, Handler][] = [
  ['small', (_request, response) => response.send('Status: 413 Content Too Large\r\n\r\n', 'x'.repeat(2000))],
  ['large', (_request, response) => response.send(HEAD, Buffer.alloc(MiB, 'x'))],
  [
    'late',
    async ({ stdin }, response) => {
      await stdin.read();
      await new Promise(setImmediate);
      response.send(HEAD, 'x'.repeat(2000));
    },
  ],
];

describe.each(['unix', 'tcp'] as const)('over %s', (transport) => {
  describe.each([false, true])('with KEEP_CONN %s', (keep) => {
    test.each(answers)('%s: to a web server that reads while it sends', async (_title, responder) => {
      const client = await (await start({ responder }, transport)).connect();
      const sent = client.send(request({ keep, stdin: body }));
      expect((await client.response()).body).toMatch(/^x{2000}/);
      await sent;
    });

    test.each(answers)('%s: to one that reads only when it has sent everything', async (_title, responder) => {
      const running = await start({ responder }, transport);
      const client = await running.connect();
      client.socket.pause();
      await client.send(request({ keep, stdin: body }));
      client.socket.resume();
      expect((await client.response()).body).toMatch(/^x{2000}/);
    });
  });

  test('without KEEP_CONN the connection ends in the orderly way, and what was sent in vain is dropped', async () => {
    const running = await start({ responder: (_request, response) => response.send(HEAD, 'early') }, transport);
    const client = await running.connect();
    await client.send(head({ stdin: body }));
    expect((await client.response()).body).toBe('early');
    expect(await client.closed).toBe('end');
    await client.send(stream(STDIN, 1, body)); // nobody resets it
    expect(client.socket.destroyed).toBe(false);
    client.end();
    await running.quiet();
  });

  test('with KEEP_CONN the next request waits for nothing but the end of the body before it', async () => {
    const responder: Handler = ({ params }, response) => response.send(HEAD, params.get('REQUEST_URI') ?? '');
    const client = await (await start({ responder }, transport)).connect();
    for (let i = 0; i < 3; i++) {
      await client.send(request({ keep: true, stdin: body, params: { REQUEST_URI: `/${i}` } }));
      expect((await client.response()).body).toBe(`/${i}`);
    }
  });
});

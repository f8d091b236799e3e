// Clients that go away before they have their answer.

import { begin, open, send } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS } from './front-ends.ts';

describe.each(FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd] as const))('%s', (_name, frontEnd) => {
  let server: WebServer;
  beforeAll(async () => {
    server = await frontEnd.start({ streamResponses: true });
  });
  afterAll(() => server?.stop());

  test('a client that leaves a streaming answer ends the handler', async () => {
    const answer = await begin(server.port, '/endless/a');
    await answer.piece();
    answer.abort();
    expect((await send(server.port, '/opened/a-left')).status).toBe(204);
  });

  // lighttpd looks at a client again only when it has something to write to it, so a silent handler is not told there.
  if (frontEnd.server === 'nginx') {
    test('a client that leaves while the application is silent aborts the handler’s signal', async () => {
      const request = open(server.port, '/silent/b');
      request.end();
      await send(server.port, '/opened/b-started');
      request.destroy();
      expect((await send(server.port, '/opened/b-aborted')).status).toBe(204);
    });
  } else {
    test('a client that leaves while the application is silent does not keep its request from ending', async () => {
      const request = open(server.port, '/silent/b');
      request.end();
      await send(server.port, '/opened/b-started');
      request.destroy();
      await send(server.port, { method: 'POST', path: '/open/b' });
      expect((await send(server.port, '/opened/b-ended')).status).toBe(204);
    });
  }

  test('every request that was started is finished', async () => {
    const { body } = await send(server.port, '/counts');
    const counts = JSON.parse(body.toString()) as { started: number; finished: number };
    expect(counts.finished).toBe(counts.started - 1); // all but the one that asks
  });
});

// The table of requests, behind every web server: the same request gives the same answer.

import { createHash } from 'node:crypto';
import { send, type HttpAnswer } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS } from './front-ends.ts';
import { TABLE, type Expected } from './table.ts';

describe.each(FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd] as const))('%s', (_name, frontEnd) => {
  let server: WebServer;
  beforeAll(async () => {
    server = await frontEnd.start();
  });
  afterAll(() => server?.stop());

  test.each(TABLE.map((row) => [row.title, row] as const))('%s', async (_title, row) => {
    const expected = row.differs?.[frontEnd.server] ?? row.expect;
    const answer = await send(server.port, row.send);
    if (expected.logged !== undefined) await server.logged(expected.logged);
    const { logged: _logged, ...rest } = expected;
    expect(observed(answer, expected)).toMatchObject({ status: 200, complete: true, ...rest });
  });

  test('every request that was started is finished', async () => {
    const { body } = await send(server.port, '/counts');
    const counts = JSON.parse(body.toString()) as { started: number; finished: number };
    expect(counts.started).toBeGreaterThan(1);
    expect(counts.finished).toBe(counts.started - 1); // all but the one that asks
  });
});

/** What the answer has of what is expected of it; and its text, which tells what is wrong where there is an error. */
function observed({ status, complete, headers, body }: HttpAnswer, expected: Expected): object {
  const text = body.length < 10_000 ? body.toString() : '';
  return {
    status,
    complete,
    text,
    headers: Object.fromEntries(Object.keys(expected.headers ?? {}).map((name) => [name, headers[name] ?? null])),
    bytes: { length: body.length, sha256: createHash('sha256').update(body).digest('hex') },
    ...(expected.request !== undefined && status === 200 && { request: JSON.parse(body.toString()) as object }),
  };
}

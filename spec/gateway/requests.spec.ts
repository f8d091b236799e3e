// The table of requests that holds behind lighttpd and nginx holds behind the gateway.

import { createHash } from 'node:crypto';
import { send, type HttpAnswer } from '../support/http.ts';
import { startApplication, type RunningApplication } from '../support/web-servers.ts';
import { Gateway } from '../../lib/gateway/index.ts';
import { APPLICATION } from '../web-servers/front-ends.ts';
import { TABLE, type Expected } from '../web-servers/table.ts';

// Node's parser refuses it; no browser sends it.
const DIFFERS: Readonly<Record<string, Expected>> = {
  'bytes of UTF-8 in a path that were not percent-encoded': { status: 400 },
};

let application: RunningApplication;
let gateway: Gateway;
let port: number;
let log = '';
let logged = (): void => {};

beforeAll(async () => {
  application = await startApplication(APPLICATION);
  gateway = new Gateway({
    to: application.at,
    onLog: (line) => {
      log += `${line}\n`;
      logged();
    },
  });
  ({ port } = await gateway.listen({ port: 0 }));
});
afterAll(async () => {
  await gateway?.close({ timeout: 0 });
  await application?.stop();
});

test.each(TABLE.map((row) => [row.title, row] as const))('%s', async (title, row) => {
  const expected = DIFFERS[title] ?? row.differs?.nginx ?? row.expect;
  const answer = await send(port, row.send);
  const { logged: pattern, ...rest } = expected;
  expect(observed(answer, expected)).toMatchObject({ status: 200, complete: true, ...rest });
  while (pattern !== undefined && !pattern.test(log)) await new Promise<void>((resolve) => (logged = resolve));
});

/** What the answer has of what is expected of it. */
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

// examples/hello.ts, served as the README says.

import { fileURLToPath } from 'node:url';
import { Client } from '../../lib/client/index.ts';
import { startApplication, type RunningApplication } from '../support/web-servers.ts';

let application: RunningApplication;
let client: Client;

beforeAll(async () => {
  application = await startApplication(fileURLToPath(new URL('../../examples/hello.ts', import.meta.url)));
  client = new Client({ address: application.at });
});
afterAll(async () => {
  await client?.close();
  await application?.stop();
});

test.each([
  ['/', 200, 'Hello from Postfork\n'],
  ['/hello/J%C3%BCrgen', 200, '{"hello":"Jürgen"}'],
  ['/other', 404, '404 Not Found\n'],
])('GET %s', async (target, status, text) => {
  const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: target } });
  expect({ status: response.status, text: await response.text() }).toEqual({ status, text });
});

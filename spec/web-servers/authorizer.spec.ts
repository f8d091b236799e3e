// The authorizer role behind lighttpd, by examples/authorizer.ts: before files, and before another application.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { send, type HttpAnswer, type HttpSent } from '../support/http.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  startApplication,
  startLighttpdWith,
  type RunningApplication,
  type WebServer,
} from '../support/web-servers.ts';
import { APPLICATION } from './front-ends.ts';

const AUTHORIZER = fileURLToPath(new URL('../../examples/authorizer.ts', import.meta.url));
const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;

const folder = temporaryFolder();
let authorizer: RunningApplication;
let responder: RunningApplication;
let server: WebServer;

beforeAll(async () => {
  mkdirSync(folder.join('private'));
  writeFileSync(folder.join('private', 'file.txt'), 'a secret\n');
  [authorizer, responder] = await Promise.all([startApplication(AUTHORIZER), startApplication(APPLICATION)]);
  server = await startLighttpdWith(
    (port) => `
      server.modules = ( "mod_fastcgi" )
      server.port = ${port}
      server.bind = "127.0.0.1"
      server.document-root = "${folder.path}"
      mimetype.assign = ( ".txt" => "text/plain" )
      fastcgi.server = (
        "/app" => (
          ( "socket" => "${authorizer.at.slice(5)}", "mode" => "authorizer", "check-local" => "disable" ),
          ( "socket" => "${responder.at.slice(5)}", "check-local" => "disable" ),
        ),
        "/private" => ((
          "socket" => "${authorizer.at.slice(5)}",
          "mode" => "authorizer",
          "check-local" => "disable",
          "docroot" => "${folder.path}",
        )),
      )`,
  );
});
afterAll(async () => {
  await server?.stop();
  await Promise.all([authorizer?.stop(), responder?.stop()]);
});

const ask = (path: string, credentials?: string, more: HttpSent = {}): Promise<HttpAnswer> =>
  send(server.port, { path, ...more, headers: credentials === undefined ? {} : { Authorization: basic(credentials) } });

test.each([
  ['without credentials', undefined],
  ['with a wrong password', 'ada:byron'],
  ['with an unknown name', 'eve:lovelace'],
  ['without a colon', 'ada'],
])('a request %s gets the authorizer’s answer', async (_title, credentials) => {
  for (const path of ['/private/file.txt', '/app/x']) {
    const { status, headers, body } = await ask(path, credentials);
    expect({ status, text: body.toString() }).toEqual({ status: 401, text: 'Tell who you are.\n' });
    expect(headers['www-authenticate']).toBe('Basic realm="private", charset="UTF-8"');
  }
});

test('a request that is allowed gets the file', async () => {
  const { status, headers, body } = await ask('/private/file.txt', 'ada:lovelace');
  expect({ status, text: body.toString() }).toEqual({ status: 200, text: 'a secret\n' });
  expect(headers).not.toHaveProperty('variable-authorized_user');
});

test('a request that is allowed reaches the application, with the authorizer’s variables', async () => {
  const { status, headers, body } = await ask('/app/x', 'ada:lovelace');
  expect(status).toBe(200);
  expect(JSON.parse(body.toString())).toMatchObject({ target: '/app/x', authorizedUser: 'ada' });
  expect(headers).not.toHaveProperty('variable-authorized_user');
});

test('the body of a request that is allowed goes to the application, not to the authorizer', async () => {
  const { body } = await ask('/app/x', 'ada:lovelace', { method: 'POST', body: 'for the application' });
  expect(JSON.parse(body.toString())).toMatchObject({ method: 'POST', length: 19 });
});

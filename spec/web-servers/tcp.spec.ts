// An application that listens on TCP, behind both web servers.

import { send, sendForJson } from '../support/http.ts';
import { IPV6, startApplication, startLighttpd, startNginx, type RunningApplication } from '../support/web-servers.ts';
import { APPLICATION } from './front-ends.ts';

const places: [string, string][] = [['IPv4', 'tcp:127.0.0.1:0']];
if (IPV6) places.push(['IPv6', 'tcp:[::1]:0']);

describe.each(places)('%s', (_name, listen) => {
  let application: RunningApplication;
  beforeAll(async () => {
    application = await startApplication(APPLICATION, '--listen', listen);
  });
  afterAll(() => application?.stop());

  test.each([
    ['lighttpd', () => startLighttpd({ to: application.at })],
    ['nginx, kept', () => startNginx({ to: application.at })],
    ['nginx, not kept', () => startNginx({ to: application.at, keepAlive: 0 })],
  ])('behind %s', async (_server, start) => {
    const server = await start();
    try {
      const request = { method: 'POST', path: '/x?a=1', body: 'hello' };
      expect(await sendForJson(server.port, request)).toMatchObject({ target: '/x?a=1', length: 5 });
      expect((await send(server.port, '/throw')).status).toBe(500);
    } finally {
      await server.stop();
    }
  });
});

// The same web-standard handler under Node's http, and by FastCGI behind nginx and our gateway: the same answers to generated requests.

import fc from 'fast-check';
import { fromFetch } from '../../../lib/adapters/fetch/index.ts';
import { Application } from '../../../lib/app/index.ts';
import { serve } from '../../../lib/serve.ts';
import type { HttpSent } from '../../support/http.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { pair, played, request, script, type Pair } from '../pair.ts';
import { HANDLERS } from './handlers.ts';
import { plainHttp } from './plain-http.ts';

const RUNS = 30; // for each handler, light and not

const folder = temporaryFolder();
let sockets = 0;

describe.each(HANDLERS)('%s', (_name, make) => {
  describe.each([true, false])('light: %p', (light) => {
    let both: Pair;
    beforeAll(async () => {
      const socket = folder.join(`${(sockets += 1)}.sock`);
      const application = new Application().fallback(fromFetch(make(), { light }));
      const serving = await serve(application, { listen: `unix:${socket}` });
      both = await pair(plainHttp(make()), { socket, stop: () => serving.close({ timeout: 0 }) });
    });
    afterAll(() => both?.stop());

    test('sees the same request', async () => {
      await fc.assert(
        fc.asyncProperty(request, async (sent) => {
          const { http, ...others } = await both.ask(sent);
          expect(others).toEqual({ nginx: http, gateway: http });
          expect(http.status).toBe(200);
        }),
        { numRuns: RUNS },
      );
    });

    test('gives the same answer', async () => {
      await fc.assert(
        fc.asyncProperty(script, fc.constantFrom('GET', 'HEAD', 'POST'), async (wanted, method) => {
          const answer = played(wanted, method, true);
          const { http, ...others } = await both.ask({ method, headers: { 'X-Answer': JSON.stringify(answer) } });
          fc.pre(answer.ends !== 'cut' || http.status > 0); // the cut may have come before the head was under way
          expect(others).toEqual({ nginx: http, gateway: http });
          expect(http.complete).toBe(answer.ends !== 'cut');
        }),
        { numRuns: RUNS },
      );
    });
  });
});

describe.each([true, false])('Hono with what belongs to it, light: %p', (light) => {
  let both: Pair;
  beforeAll(async () => {
    const [, make] = HANDLERS.find(([name]) => name === 'Hono') as (typeof HANDLERS)[number];
    const socket = folder.join(`${(sockets += 1)}.sock`);
    const application = new Application().fallback(fromFetch(make(), { light }));
    const serving = await serve(application, { listen: `unix:${socket}` });
    both = await pair(plainHttp(make()), { socket, stop: () => serving.close({ timeout: 0 }) });
  });
  afterAll(() => both?.stop());

  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const multipart = { 'Content-Type': 'multipart/form-data; boundary=edge' };
  const part = '--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nä\r\n--edge--\r\n';

  test.each<[string, number, HttpSent]>([
    ['a form', 200, { method: 'POST', path: '/form', headers: form, body: 'a=1&b=%C3%A4' }],
    ['a form in chunks', 200, { method: 'POST', path: '/form', headers: form, body: 'a=1', chunked: true }],
    ['a form with files', 200, { method: 'POST', path: '/form', headers: multipart, body: part }],
    [
      'a form with files that is cut short',
      500,
      { method: 'POST', path: '/form', headers: multipart, body: part.slice(0, 40) },
    ],
    ['cookies and a redirect', 302, { path: '/cookies' }],
    ['HEAD of them', 302, { method: 'HEAD', path: '/cookies' }],
  ])('%s: %i', async (_title, status, sent) => {
    const { http, ...others } = await both.ask(sent);
    expect(others).toEqual({ nginx: http, gateway: http });
    expect(http.status).toBe(status);
  });
});

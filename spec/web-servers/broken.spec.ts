// Answers that break off behind their head: what the client and the error log are told.

import { begin, send } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS } from './front-ends.ts';

describe.each(FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd] as const))('%s', (_name, frontEnd) => {
  let server: WebServer;
  beforeAll(async () => {
    server = await frontEnd.start({ streamResponses: true });
  });
  afterAll(() => server?.stop());

  test('an answer of known length is seen to be cut', async () => {
    const answer = await breakOff('known-length');
    expect(answer).toEqual({ status: 200, text: 'the beginning, ', complete: false });
    await server.logged(/the body of an answer broke off: broken on purpose/);
  });

  test('an answer of unknown length is seen to be cut', async () => {
    const answer = await breakOff('unknown-length');
    expect(answer).toEqual({ status: 200, text: 'the beginning, ', complete: false });
  });

  test('the next request is answered', async () => {
    expect((await send(server.port, '/status/200')).status).toBe(200);
  });

  /** Let the application break off when the beginning has come: before, the web server would answer an error by itself. */
  async function breakOff(which: string): Promise<{ status: number; text: string; complete: boolean }> {
    const answer = await begin(server.port, `/break/${which}`);
    let text = await answer.piece();
    await send(server.port, { method: 'POST', path: `/open/${which}` });
    for (let piece = await answer.piece(); piece !== undefined; piece = await answer.piece()) text += piece;
    return { status: answer.status, text: text ?? '', complete: answer.complete };
  }
});

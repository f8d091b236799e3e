// Answers whose pieces arrive before the end, and uploads whose pieces arrive before the end.

import { answerTo, begin, open, send } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS, type FrontEnd } from './front-ends.ts';

const cases: [string, FrontEnd][] = FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd]);

describe.each(cases)('%s', (_name, frontEnd) => {
  // nginx, which buffers, passes these on because of their X-Accel-Buffering: no.
  describe.each([
    ['as configured by default', undefined],
    ['with streamed answers', { streamResponses: true }],
  ])('%s', (_configuration, options) => {
    let server: WebServer;
    beforeAll(async () => {
      server = await frontEnd.start(options);
    });
    afterAll(() => server?.stop());

    test('pieces arrive before the end', async () => {
      const answer = await begin(server.port, '/pieces/a');
      expect(await answer.piece()).toBe('first ');
      await send(server.port, { method: 'POST', path: '/open/a' }); // only now may the application go on
      expect(await answer.piece()).toBe('second');
      expect(await answer.piece()).toBeUndefined();
    });

    test('server-sent events arrive one by one', async () => {
      const answer = await begin(server.port, { path: '/events/b', headers: { Accept: 'text/event-stream' } });
      expect(answer.headers['content-type']).toBe('text/event-stream');
      expect(await answer.piece()).toBe('event: hello\ndata: 1\n\n');
      await send(server.port, { method: 'POST', path: '/open/b' });
      expect(await answer.piece()).toBe('data: 2\n\n');
      expect(await answer.piece()).toBeUndefined();
    });
  });

  describe('with streamed requests', () => {
    let server: WebServer;
    beforeAll(async () => {
      server = await frontEnd.start({ streamRequests: true });
    });
    afterAll(() => server?.stop());

    test('an upload reaches the application before its end', async () => {
      const upload = open(server.port, { method: 'POST', path: '/upload/a', headers: { 'Content-Length': '6' } });
      const answered = answerTo(upload);
      upload.write('one');
      expect((await send(server.port, '/opened/a-begun')).status).toBe(204);
      upload.end('two');
      expect(await answered).toEqual({ status: 200, text: '{"length":6,"contentLength":6}' });
    });

    test('an early answer to an upload that goes on reaches the client', async () => {
      const upload = open(server.port, { method: 'POST', path: '/early', headers: { 'Content-Length': '1000000' } });
      upload.write('the beginning');
      expect(await answerTo(upload)).toEqual({ status: 413, text: '413 too much\n' });
      upload.destroy();
    });

    // CGI wants the length before the body (RFC 3875, 4.1.2).
    if (frontEnd.server === 'lighttpd') {
      test('a chunked upload that is not complete with its head is refused', async () => {
        const upload = open(server.port, { method: 'POST', path: '/upload/b', chunked: true });
        upload.write('one');
        expect(await answerTo(upload)).toMatchObject({ status: 411 });
        upload.destroy();
      });
    } else {
      test('a chunked upload reaches the application before its end, its length unknown', async () => {
        const upload = open(server.port, { method: 'POST', path: '/upload/b', chunked: true });
        const answered = answerTo(upload);
        upload.write('one');
        expect((await send(server.port, '/opened/b-begun')).status).toBe(204);
        upload.end('two');
        expect(await answered).toEqual({ status: 200, text: '{"length":6,"contentLength":null}' });
      });
    }
  });
});

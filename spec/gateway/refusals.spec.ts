// Bytes of a client that are no HTTP request.

import { Application } from '../../lib/app/index.ts';
import { gateways } from './gateways.ts';

const { before, beforeScript, raw } = gateways();
const hello = new Application().fallback(() => 'hello');

describe('what is no request is a 400', () => {
  const bad = 'GET / a HTTP/1.1\r\nHost: a\r\n\r\n';
  const badBody = 'POST /next HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n';
  const statuses = (answers: string): string[] =>
    [...answers.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, code = '']) => code);

  test.each([
    ['a request line', bad],
    ['a chunk', badBody],
    ['a head without an end', `GET /${'x'.repeat(70_000)}`, '431'],
  ])('%s', async (_title, text, status = '400') => {
    const http = await raw(await before(hello), text);
    expect(await http.closed).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*\\r\\nConnection: close\\r\\n\\r\\n$`));
  });

  test.each([
    ['a request line', bad],
    ['the body of the next', badBody],
  ])('behind the answers to those before it: %s', async (_title, text) => {
    const started = await beforeScript();
    const http = await raw(started, `GET /first HTTP/1.1\r\nHost: a\r\n\r\n${text}`);
    const connection = await started.application.connection();
    const { id } = await connection.request();
    http.socket.write('and more of it\r\n');
    connection.answer(id, 'Content-Type: text/plain\r\n\r\nfirst');
    const answers = await http.closed;
    expect(statuses(answers)).toEqual(['200', '400']);
    expect(answers).toContain('first');
  });
});

// WIRE 43 and 44: the roles Authorizer and Filter (FastCGI 1.0, 6.3; 6.4).

import { DELIVERIES } from '../../support/raw-client.ts';
import { DATA, head, record, request, STDIN, stream } from '../../support/raw-records.ts';
import { HEAD, ok, servers } from '../../support/servers.ts';
import type { Handler } from '../../../lib/server/index.ts';

const { start, calls } = servers();
const keep = true;
const AUTHORIZER = 2;
const FILTER = 3;

describe('43 (6.3) an Authorizer', () => {
  const authorizer: Handler = async ({ params, stdin, data, role, contentLength }, response) => {
    const body = (await stdin.bytes(100)).length + (await data.bytes(100)).length;
    const allowed = params.get('HTTP_AUTHORIZATION') === 'Basic eDp5';
    const fields = allowed ? 'Variable-AUTH_METHOD: database\r\n' : 'Content-Type: text/plain\r\n';
    response.send(
      `Status: ${allowed ? 200 : 403} x\r\n${fields}X-Seen: ${role} ${contentLength} ${body}\r\n\r\n`,
      allowed ? '' : 'no',
    );
  };

  test.each(DELIVERIES)(
    'is called at the end of PARAMS and does not wait for STDIN, which may never come (%s)',
    async (delivery) => {
      const client = await (await start({ authorizer })).connect();
      const params = { HTTP_AUTHORIZATION: 'Basic eDp5' };
      await client.send(head({ role: AUTHORIZER, keep, params }), delivery);
      expect((await client.response()).stdout).toBe(
        'Status: 200 x\r\nVariable-AUTH_METHOD: database\r\nX-Seen: 2 undefined 0\r\n\r\n',
      );
      await client.send(request({ role: AUTHORIZER, keep }), delivery); // one that ends STDIN all the same
      expect(await client.response()).toMatchObject({ status: 403, body: 'no', protocolStatus: 0 });
    },
  );

  test('has an empty STDIN even where a CONTENT_LENGTH was sent', async () => {
    const client = await (await start({ authorizer })).connect();
    await client.send(head({ role: AUTHORIZER, keep, params: { CONTENT_LENGTH: '10' } }));
    expect((await client.response()).stdout).toContain('X-Seen: 2 10 0\r\n');
    await client.send(stream(STDIN, 1, '0123456789'));
    await client.sync();
  });

  test('without KEEP_CONN the connection is closed behind its answer', async () => {
    const client = await (await start({ authorizer })).connect();
    await client.send(head({ role: AUTHORIZER }));
    expect((await client.response()).status).toBe(403);
    expect(await client.closed).toBe('end');
  });

  test('and a Responder of the same server have handlers of their own', async () => {
    const client = await (await start({ authorizer, responder: ok })).connect();
    await client.send(Buffer.concat([request({ keep }), request({ id: 2, keep, role: AUTHORIZER })]));
    expect((await client.response(1)).body).toBe('ok');
    expect((await client.response(2)).body).toBe('no');
  });
});

describe('44 (6.4) a Filter', () => {
  const params = (length: number): Record<string, string> => ({
    FCGI_DATA_LENGTH: String(length),
    FCGI_DATA_LAST_MOD: '1700000000',
  });

  const filter: Handler = async (incoming, response) => {
    let form = '';
    let file = '';
    try {
      form = (await incoming.stdin.bytes(1000)).toString();
      file = (await incoming.data.bytes(1_000_000)).toString();
    } catch (error) {
      file = (error as { code: string }).code;
    }
    response.send(HEAD, `${incoming.params.get('FCGI_DATA_LAST_MOD')} ${form} ${file.toUpperCase()}`);
  };

  test.each(DELIVERIES)('reads STDIN, then DATA (%s)', async (delivery) => {
    const client = await (await start({ filter })).connect();
    await client.send(
      Buffer.concat([
        head({ role: FILTER, keep, params: params(8), stdin: 'form' }),
        stream(STDIN, 1, 'form'),
        record(DATA, 1, 'the '),
        record(DATA, 1, 'file', 200),
        record(DATA, 1),
      ]),
      delivery,
    );
    expect((await client.response()).body).toBe('1700000000 form THE FILE');
  });

  test.each([
    ['8', 'the', 'BODY_TRUNCATED'],
    ['3', 'the file', 'THE'],
    ['0', 'the file', ''],
    ['x', 'the file', 'THE FILE'],
    ['', '', ''],
  ])('FCGI_DATA_LENGTH %p with DATA %p: %p', async (length, data, expected) => {
    const client = await (await start({ filter })).connect();
    const given = { ...params(0), FCGI_DATA_LENGTH: length };
    await client.send(
      Buffer.concat([head({ role: FILTER, keep, params: given }), record(STDIN, 1), stream(DATA, 1, data)]),
    );
    expect((await client.response()).body).toBe(`1700000000  ${expected}`);
  });

  test('that is slow stops the reading of DATA, and loses nothing', async () => {
    const played = calls();
    const client = await (await start({ filter: played.handler, inputWindow: 65_536 })).connect();
    const data = Buffer.alloc(4 * 1024 * 1024, 'abc');
    const sent = client.send(
      Buffer.concat([head({ role: FILTER, params: params(data.length) }), record(STDIN, 1), stream(DATA, 1, data)]),
    );
    const { request: incoming, response } = await played.next();
    expect(await incoming.stdin.read()).toBe(undefined);
    const pieces: Buffer[] = [];
    for await (const piece of incoming.data) pieces.push(piece);
    await sent;
    expect(Buffer.concat(pieces).equals(data)).toBe(true);
    response.send(HEAD, 'done');
    expect((await client.response()).body).toBe('done');
  });

  test("with halfClose: 'finish' the end of the connection is the end of DATA", async () => {
    for (const [length, expected] of [
      ['', 'THE FI'],
      ['8', 'BODY_TRUNCATED'],
    ]) {
      const client = await (await start({ filter, halfClose: 'finish' })).connect();
      const given = { FCGI_DATA_LENGTH: length as string, FCGI_DATA_LAST_MOD: '1' };
      await client.send(
        Buffer.concat([head({ role: FILTER, keep, params: given }), record(STDIN, 1), record(DATA, 1, 'the fi')]),
      );
      client.end();
      expect((await client.response()).body).toBe(`1  ${expected}`);
    }
  });

  test('that answers before DATA has ended, without KEEP_CONN: the web server gets the whole answer', async () => {
    const early: Handler = (_request, response) => response.send(HEAD, 'early');
    const client = await (await start({ filter: early })).connect();
    client.socket.pause();
    await client.send(Buffer.concat([head({ role: FILTER, params: params(8) }), record(STDIN, 1)]));
    await client.send(stream(DATA, 1, Buffer.alloc(4 * 1024 * 1024)));
    client.socket.resume();
    expect((await client.response()).body).toBe('early');
    expect(await client.closed).toBe('end');
  });

  test('DATA for a Responder is ignored: its `data` is empty', async () => {
    const responder: Handler = async ({ stdin, data }, response) =>
      response.send(HEAD, `${(await stdin.bytes(100)).toString()}|${(await data.bytes(100)).toString()}`);
    const client = await (await start({ responder })).connect();
    await client.send(
      Buffer.concat([head({ keep, stdin: 'in', params: params(3) }), stream(DATA, 1, 'out'), stream(STDIN, 1, 'in')]),
    );
    expect((await client.response()).body).toBe('in|');
  });
});

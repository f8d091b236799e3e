// bodyLimit(): how much body a request may have.

import { Application, bodyLimit, type HttpRequest } from '../../../lib/app/index.ts';

const FORM = Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--b--\r\n');

async function* inPieces(length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < length; at++) yield Buffer.from('x');
}

async function streamed(request: HttpRequest): Promise<string> {
  let length = 0;
  for await (const piece of request.body) length += piece.length;
  return String(length);
}

const READERS: [name: string, read: (request: HttpRequest) => Promise<string>][] = [
  ['bytes()', async (request) => String((await request.bytes()).length)],
  ['text()', async (request) => String((await request.text()).length)],
  ['the stream', streamed],
  [
    'body.read()',
    async (request) => {
      let length = 0;
      for (let piece = await request.body.read(); piece; piece = await request.body.read()) length += piece.length;
      return String(length);
    },
  ],
  ['body.bytes()', async (request) => String((await request.body.bytes(1000)).length)],
];

describe.each(READERS)('a body read by %s', (_name, read) => {
  const app = (limit: number): Application => new Application().use(bodyLimit(limit)).post('/', read);

  test('may have as many bytes as the limit', async () => {
    expect((await app(10).inject({ method: 'POST', body: 'x'.repeat(10) })).text()).toBe('10');
    expect((await app(10).inject({ method: 'POST', body: inPieces(10) })).text()).toBe('10');
    expect((await app(0).inject({ method: 'POST' })).text()).toBe('0');
  });

  test('is 413 with one more, whether its length is announced or not', async () => {
    for (const body of ['x'.repeat(11), inPieces(11)]) {
      expect((await app(10).inject({ method: 'POST', body })).status).toBe(413);
    }
  });
});

test('an announced body that is too large is 413 before the handler', async () => {
  const handler = jest.fn(() => 'called');
  const app = new Application().use(bodyLimit(10)).post('/', handler);
  const response = await app.inject({ method: 'POST', body: 'x'.repeat(11) });
  expect([response.status, response.text()]).toEqual([413, '413 the body has more than 10 bytes\n']);
  expect(handler).not.toHaveBeenCalled();
});

test('a body that is not read is nobody is concern', async () => {
  const app = new Application().use(bodyLimit(10)).post('/', () => 'not read');
  expect((await app.inject({ method: 'POST', body: inPieces(11) })).text()).toBe('not read');
});

test('a multipart form counts as a whole', async () => {
  const read = async (request: HttpRequest): Promise<string> => {
    const names: string[] = [];
    for await (const part of request.multipart()) names.push(part.name);
    return names.join();
  };
  const ask = (limit: number): Promise<{ status: number }> =>
    new Application()
      .use(bodyLimit(limit))
      .post('/', read)
      .inject({
        method: 'POST',
        headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
        body: (async function* () {
          yield FORM;
        })(),
      });
  expect((await ask(FORM.length)).status).toBe(200);
  expect((await ask(FORM.length - 1)).status).toBe(413);
});

test('it may allow more than the megabyte that is the default', async () => {
  const body = 'x'.repeat(2 * 1024 * 1024);
  const app = new Application()
    .use(bodyLimit(3 * 1024 * 1024))
    .post('/', async (request) => (await request.text()).length.toString());
  expect((await app.inject({ method: 'POST', body })).text()).toBe(String(body.length));
});

test('of several limits the smallest counts', async () => {
  for (const [outer, inner] of [
    [5, 10],
    [10, 5],
  ] as const) {
    const app = new Application().use(bodyLimit(outer)).use(bodyLimit(inner)).post('/', streamed);
    expect((await app.inject({ method: 'POST', body: inPieces(5) })).status).toBe(200);
    expect((await app.inject({ method: 'POST', body: inPieces(6) })).status).toBe(413);
  }
});

test.each([-1, NaN])('%p is no limit', (bytes) => {
  expect(() => bodyLimit(bytes)).toThrow(RangeError);
});

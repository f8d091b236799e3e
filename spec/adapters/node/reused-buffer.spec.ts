// A listener that uses its buffer again as soon as it is told that what it has written is done, as under Node's http it may.

import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { Client } from '../../../lib/client/index.ts';
import { createServer } from '../../../lib/node-server.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const folder = temporaryFolder();
const COUNT = 60;

/** Pieces 0, 1, 2 ... of so many bytes each, all of one buffer. */
function writePieces(response: ServerResponse, length: number): void {
  const buffer = Buffer.alloc(length);
  let count = 0;
  const next = (): void => {
    if (count === COUNT) return void response.end();
    buffer.fill(count++);
    response.write(buffer, next);
  };
  next();
}

/** The answer's bytes, read more slowly than they are written. */
async function answer(name: string, listener: (response: ServerResponse) => void): Promise<Buffer> {
  const server = createServer((_request, response) => listener(response));
  const path = folder.join(name);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = new Client({ address: `unix:${path}` });
  try {
    const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } });
    const pieces: Buffer[] = [];
    for await (const piece of response.body as AsyncIterable<Buffer>) {
      pieces.push(piece);
      await turn();
    }
    return Buffer.concat(pieces);
  } finally {
    await client.close();
    await server[Symbol.asyncDispose]();
  }
}

test.each([1000, 20_000, 65_536, 100_000])('pieces of %d bytes arrive as they were written', async (length) => {
  const bytes = await answer(`${length}.sock`, (response) => writePieces(response, length));
  const found = Array.from({ length: COUNT }, (_, at) => bytes.subarray(at * length, (at + 1) * length));
  expect(bytes.length).toBe(COUNT * length);
  expect(found.map((piece, at) => piece.equals(Buffer.alloc(length, at)))).toEqual(found.map(() => true));
});

test('an answer in one go arrives as it was when it ended', async () => {
  const bytes = await answer('whole.sock', (response) => {
    const buffer = Buffer.alloc(400_000, 'a');
    response.on('finish', () => buffer.fill('b'));
    response.end(buffer);
  });
  expect(bytes.equals(Buffer.alloc(400_000, 'a'))).toBe(true);
});

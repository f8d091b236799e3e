// An answer waits for whoever reads on in the body, but not for one who has stopped.

import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fromNode, type NodeListener } from '../../../lib/adapters/node/index.ts';
import { Application } from '../../../lib/app/index.ts';
import { gateways } from '../../gateway/gateways.ts';
import { answerTo, open } from '../../support/http.ts';

const STALLED = 1000; // ms, as from-node.ts has it
const { before } = gateways();

/** Answers when the first piece has come; `take` goes on with the body. */
function early(take: (request: IncomingMessage) => void): Application {
  const listener: NodeListener = (request, response) => {
    take(request);
    request.once('data', () => response.end('enough'));
  };
  return new Application().fallback(fromNode(listener));
}

const stuck = (request: IncomingMessage): void => {
  request.pipe(new Writable({ highWaterMark: 1, write: () => {} })); // as a parser does with a part that nobody reads
};

test.each([
  ['with more of it on the client’s side than there is room for', 4_000_000],
  ['with all of it there', 3000],
])('a body that nobody reads on does not keep the answer back: %s', async (_title, length) => {
  const { port } = await before(early(stuck));
  const request = open(port, { method: 'POST', headers: { 'Content-Length': String(length) } });
  request.on('error', () => {}); // the rest of it may find nobody
  request.write('x'.repeat(length / 2));
  const answer = answerTo(request);
  await delay(50); // the answer has ended by then, and is held
  request.end('x'.repeat(length / 2));
  expect(await answer).toEqual({ status: 200, text: 'enough' });
});

test('a client that is slow with it does', async () => {
  const order: string[] = [];
  const { port } = await before(
    early((request) => {
      let length = 0;
      request.on('data', (piece: Buffer) => (length += piece.length));
      request.once('end', () => order.push(`${length} bytes read`));
    }),
  );
  const request = open(port, { method: 'POST', headers: { 'Content-Length': '10' } });
  request.write('first');
  const answer = answerTo(request).then(({ text }) => order.push(text));
  await delay(STALLED + 300);
  expect(order).toEqual([]);
  request.end('later');
  await answer;
  expect(order).toEqual(['10 bytes read', 'enough']);
});

// The ceiling: what Node itself costs. Finds the end of a FastCGI request in the cheapest way, looks at nothing that is
// in it, and writes an answer made before. A responder that is right cannot be much cheaper.

import { createServer } from 'node:net';
import { bodyBytes, ready, socketPath } from './answer.mjs';

const BEGIN_REQUEST = 1;
const END_REQUEST = 3;
const STDIN = 5;
const STDOUT = 6;
const HEADER = 8;
const RECORD = 65_528; // the most content of one STDOUT record
const SMALL = 4096; // answers up to this size leave together, in one text for each chunk read

const head = `Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes.length}\r\n\r\n`;
const content = Buffer.concat([Buffer.from(head), bodyBytes]);
const answers = []; // by request id

function record(type, id, piece) {
  return [Buffer.from([1, type, id >> 8, id & 255, piece.length >> 8, piece.length & 255, 0, 0]), piece];
}

function makeAnswer(id) {
  const parts = [];
  for (let at = 0; at < content.length; at += RECORD) parts.push(record(STDOUT, id, content.subarray(at, at + RECORD)));
  parts.push(record(STDOUT, id, Buffer.alloc(0)), record(END_REQUEST, id, Buffer.alloc(8)));
  const answer = Buffer.concat(parts.flat());
  return answer.length <= SMALL ? answer.toString('latin1') : answer;
}

const server = createServer((socket) => {
  let cut; // a header, or a BEGIN_REQUEST, of which the chunk held only the beginning
  let skip = 0; // bytes of the next chunk that belong to the record before
  let keep = true;

  socket.on('data', (data) => {
    const chunk = cut === undefined ? data : Buffer.concat([cut, data]);
    const size = chunk.length;
    let at = skip;
    let text = '';
    let ended = false;
    while (at + HEADER <= size) {
      const type = chunk[at + 1];
      const length = (chunk[at + 4] << 8) | chunk[at + 5];
      if (type === BEGIN_REQUEST) {
        if (at + 2 * HEADER > size) break;
        keep = (chunk[at + HEADER + 2] & 1) === 1;
      } else if (type === STDIN && length === 0) {
        const id = (chunk[at + 2] << 8) | chunk[at + 3];
        const answer = (answers[id] ??= makeAnswer(id));
        if (typeof answer === 'string') text += answer;
        else socket.write(answer);
        ended = true;
      }
      at += HEADER + length + chunk[at + 6];
    }
    cut = at < size ? Buffer.from(chunk.subarray(at)) : undefined;
    skip = at < size ? 0 : at - size;
    if (text !== '') socket.write(text, 'latin1');
    if (ended && !keep) {
      // Where the kernel took all of it, closing at once spares the shutdown(2) of `end()`.
      if (socket.writableLength === 0) socket.destroy();
      else socket.end();
    }
  });
  socket.on('error', () => socket.destroy()); // the benchmark stops with requests under way
});

server.listen(socketPath, ready);

// What postfork-slow.mjs does, on a bare net.Server: the memory that Node itself takes for it. One request at a time.

import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  encodeEndRequest,
  encodeStreamEnd,
  PARAMS,
  RecordParser,
  REQUEST_COMPLETE,
  STDIN,
  STDOUT,
  streamBuffers,
} from 'postfork/protocol';
import { ready, socketPath } from './answer.mjs';
import { late, makePace, mebibytes, pieces } from './slow.mjs';

const HEAD = Buffer.from('Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n');

async function send(socket, content) {
  let room = true;
  socket.cork();
  for (const buffer of streamBuffers(STDOUT, 1, content)) room = socket.write(buffer);
  socket.uncork();
  if (!room) await once(socket, 'drain');
}

async function serveOne(socket) {
  let request;
  const parser = new RecordParser('application', (type, _id, chunk, start, end) => {
    if (type === PARAMS) request.params += chunk.toString('latin1', start, end);
    else if (type === STDIN) {
      request.bytes += end - start;
      request.ended = start === end;
    }
  });
  for await (const chunk of socket) {
    const first = request === undefined;
    request ??= { params: '', bytes: 0, ended: false, pace: makePace() };
    parser.push(chunk);
    if (first && request.params.includes('/slow')) await late();
    await request.pace(request.bytes);
    if (!request.ended) continue;
    const { params, bytes } = request;
    request = undefined;
    await send(socket, HEAD);
    const large = /\/large\/(\d+)/.exec(params);
    if (large === null) await send(socket, Buffer.from(bytes > 0 ? String(bytes) : 'idle'));
    else for await (const piece of pieces(mebibytes(large[1]))) await send(socket, piece);
    socket.write(Buffer.concat([encodeStreamEnd(STDOUT, 1), encodeEndRequest(1, 0, REQUEST_COMPLETE)]));
  }
}

createServer((socket) => void serveOne(socket)).listen(socketPath, ready);

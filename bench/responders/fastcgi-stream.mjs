// A minimal responder on fastcgi-stream: the requests by id, their params in an object, one answer for each.

import { createServer } from 'node:net';
import fastcgi from 'fastcgi-stream';
import { bodyBytes, ready, socketPath } from './answer.mjs';

const { BeginRequest, EndRequest, Params, StdIn, StdOut } = fastcgi.records;
const RECORD = 65_528; // it pads by `length % 8`, so a multiple of 8 needs none

const head = `Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes.length}\r\n\r\n`;
const content = Buffer.concat([Buffer.from(head), bodyBytes]);

function answer(socket, stream, id, request) {
  for (let at = 0; at < content.length; at += RECORD) {
    stream.writeRecord(id, new StdOut(content.subarray(at, at + RECORD)));
  }
  stream.writeRecord(id, new StdOut());
  stream.writeRecord(id, new EndRequest(0, EndRequest.protocolStatus.REQUEST_COMPLETE));
  if (!request.keep) socket.end();
}

const server = createServer((socket) => {
  const stream = new fastcgi.FastCGIStream(socket);
  const requests = new Map();

  stream.on('record', (id, record) => {
    if (record.TYPE === BeginRequest.TYPE) {
      requests.set(id, { params: {}, bytes: 0, keep: (record.flags & BeginRequest.flags.KEEPCONN) !== 0 });
      return;
    }
    const request = requests.get(id);
    if (request === undefined) return;
    if (record.TYPE === Params.TYPE) {
      // A pair without a value comes as its name alone.
      for (const pair of record.params) {
        if (typeof pair === 'string') request.params[pair] = '';
        else request.params[pair[0]] = pair[1];
      }
    } else if (record.TYPE === StdIn.TYPE) {
      request.bytes += record.data.length;
      if (record.data.length > 0) return;
      requests.delete(id);
      answer(socket, stream, id, request);
    }
  });
  socket.on('error', () => socket.destroy()); // the benchmark stops with requests under way
});

server.listen(socketPath, ready);

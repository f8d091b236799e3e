// A web server in a few lines, for bench/memory.ts: one connection, requests one after the other or at once.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  encodeBeginRequest,
  encodePairs,
  encodeRecord,
  encodeStreamEnd,
  END_REQUEST,
  PARAMS,
  RecordParser,
  RESPONDER,
  STDERR,
  STDIN,
  STDOUT,
} from '../../lib/protocol/index.ts';

const STDIN_RECORD = 32 * 1024; // nginx cuts request bodies here

export interface Answer {
  /** The response's head, lines ended by CRLF. */
  head: string;
  bodyBytes: number;
  /** The last bytes of the body, at most 64. */
  tail: string;
}

interface Pending {
  head: string;
  bodyBytes: number;
  tail: string;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export interface WebServer {
  /** Send a request with a body of `bodyBytes`, as fast as the responder takes it. Rejects where the answer is cut. */
  request(id: number, method: string, path: string, bodyBytes?: number): Promise<Answer>;
  close(): void;
}

/** `onBytes` is awaited before more is read: a slow client. */
export async function connectTo(path: string, onBytes?: (total: number) => Promise<void>): Promise<WebServer> {
  const socket = connect(path);
  await once(socket, 'connect');
  const pending = new Map<number, Pending>();
  const fail = (error: Error): void => {
    for (const one of pending.values()) one.reject(error);
    pending.clear();
  };
  void read(socket, pending, onBytes).then(() => fail(new Error('the responder closed the connection')), fail);
  return {
    async request(id, method, target, bodyBytes = 0) {
      const answer = new Promise<Answer>((resolve, reject) => {
        pending.set(id, { head: '', bodyBytes: 0, tail: '', resolve, reject });
      });
      await Promise.race([send(socket, id, method, target, bodyBytes), answer]);
      return answer;
    },
    close: () => socket.destroy(),
  };
}

async function send(socket: Socket, id: number, method: string, path: string, bodyBytes: number): Promise<void> {
  const params = encodePairs([
    ['REQUEST_METHOD', method],
    ['REQUEST_URI', path],
    ['SCRIPT_NAME', ''],
    ['PATH_INFO', path],
    ['QUERY_STRING', ''],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_NAME', 'localhost'],
    ['SERVER_PORT', '80'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['HTTP_HOST', 'localhost'],
    ['CONTENT_TYPE', bodyBytes > 0 ? 'application/octet-stream' : ''],
    ['CONTENT_LENGTH', bodyBytes > 0 ? String(bodyBytes) : ''],
  ]);
  const start = [
    encodeBeginRequest(id, RESPONDER, true),
    encodeRecord(PARAMS, id, params),
    encodeStreamEnd(PARAMS, id),
  ];
  socket.write(Buffer.concat(start));
  const full = encodeRecord(STDIN, id, Buffer.alloc(STDIN_RECORD, 'b'));
  for (let left = bodyBytes; left > 0; left -= STDIN_RECORD) {
    const record = left >= STDIN_RECORD ? full : encodeRecord(STDIN, id, Buffer.alloc(left, 'b'));
    if (!socket.write(record)) await once(socket, 'drain');
  }
  socket.write(encodeStreamEnd(STDIN, id));
}

async function read(
  socket: Socket,
  pending: Map<number, Pending>,
  onBytes: ((total: number) => Promise<void>) | undefined,
): Promise<void> {
  let total = 0;
  const parser = new RecordParser('web-server', (type, id, chunk, start, end) => {
    const one = pending.get(id);
    if (one === undefined) throw new Error(`a record of type ${type} for request ${id}, which is not active`);
    if (type === STDOUT) take(one, chunk, start, end);
    else if (type === STDERR && end > start) throw new Error(`STDERR: ${chunk.toString('latin1', start, end)}`);
    else if (type === END_REQUEST) {
      pending.delete(id);
      one.resolve({ head: one.head, bodyBytes: one.bodyBytes, tail: one.tail });
    }
  });
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    parser.push(chunk);
    total += chunk.length;
    await onBytes?.(total);
  }
}

function take(one: Pending, chunk: Buffer, start: number, end: number): void {
  let from = start;
  if (!one.head.endsWith('\r\n\r\n')) {
    const text = one.head + chunk.toString('latin1', start, Math.min(end, start + 4096));
    const headEnd = text.indexOf('\r\n\r\n') + 4;
    if (headEnd < 4) throw new Error('the head does not end within the first piece');
    one.head = text.slice(0, headEnd);
    from = start + headEnd;
  }
  one.bodyBytes += end - from;
  one.tail = (one.tail + chunk.toString('latin1', Math.max(from, end - 64), end)).slice(-64);
}

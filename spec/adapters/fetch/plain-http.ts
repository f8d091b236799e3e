// A web-standard handler under Node's http, by what the Fetch standard says of requests and responses, and nothing of ours.

import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

export type PlainHandler = (request: Request) => Response | Promise<Response>;

export function plainHttp(handler: PlainHandler): RequestListener {
  return (incoming, outgoing) => {
    void answer(handler, incoming, outgoing).catch(() => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('500 Internal Server Error\n');
    });
  };
}

async function answer(handler: PlainHandler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const response = await handler(requestOf(incoming));
  const fields = [...response.headers].flat();
  if (incoming.method === 'HEAD' || response.body === null) {
    outgoing.writeHead(response.status, fields).end();
    await response.body?.cancel();
    return;
  }
  let begun = false;
  for await (const piece of response.body as ReadableStream<Uint8Array>) {
    if (!begun) outgoing.writeHead(response.status, fields);
    begun = true;
    if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
  }
  if (!begun) outgoing.writeHead(response.status, fields);
  outgoing.end();
}

function requestOf(incoming: IncomingMessage): Request {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(`http://${headers.get('host') ?? ''}${url}`, {
    method,
    headers,
    ...(hasBody && { body: Readable.toWeb(incoming) as Request['body'], duplex: 'half' }),
  });
}

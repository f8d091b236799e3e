// The head of an HTTP answer, from that of a CGI response.

import type { ClientResponse } from '../client/index.ts';

// The connection to the client is the gateway's own business (RFC 9110, 7.6.1).
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether the answer has no body, whatever its header says (RFC 9110, 6.4.1). */
export function isBodyless(method: string | undefined, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** Names and values in turn, repeated fields one by one; Content-Length once, since clients take two for an attack (RFC 9110, 8.6). */
export function answerFields({ status, headers }: ClientResponse): string[] {
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(','));
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim().toLowerCase())]);
  if (status === 204 || status === 304) dropped.add('content-length');
  return headers
    .filter(([sent]) => {
      const name = sent.toLowerCase();
      const kept = !dropped.has(name);
      if (name === 'content-length') dropped.add(name);
      return kept;
    })
    .flat();
}

// Complete answers that the server gives itself: web servers make of a bare END_REQUEST what they like (WIRE 28).

import { formatResponseHead, reasonPhrase } from '../cgi/index.ts';
import type { Response } from './exchange.ts';

/** Answer with a status and its reason as plain text. 503 asks to come again in a second. `appStatus`: 1 for our own fault. */
export function refuse(response: Response, status: number, appStatus = 0): void {
  const body = `${status} ${reasonPhrase(status)}\n`;
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)];
  if (status === 503) fields.push('Retry-After', '1');
  response.send(formatResponseHead(status, fields), body, appStatus);
}

/**
 * No answer, or no more of it, will come from the handler: before the head that is a refusal, after it the web server must see
 * that the answer is cut. `why` goes to its error log.
 */
export function giveUp(response: Response, status: number, why: string): void {
  response.stderr(why);
  if (response.started) response.cut();
  else refuse(response, status, 1);
}

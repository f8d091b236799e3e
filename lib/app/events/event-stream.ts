// eventStream(): server-sent events as an answer (WHATWG HTML, 9.2).

import { EventQueue, type EventSender } from './event-queue.ts';
import type { HeadersInit } from '../http-headers.ts';
import type { HttpRequest } from '../http-request.ts';
import { HttpResponse } from '../http-response.ts';
import type { ServerSentEvent } from './server-sent-event.ts';
import { sourceOf } from '../stream-source.ts';

export interface EventStreamOptions {
  /** Seconds without an event after which a comment is sent, so that nobody takes the connection for dead. Default 15. */
  keepAlive?: number;
  /** Characters of events that may wait for a slow client; beyond them the stream breaks off. Default 256 KiB. */
  maxBuffered?: number;
  headers?: HeadersInit;
}

/**
 * A stream of events, from a function or from an async iterable:
 *
 *     app.get('/news', (request) =>
 *       eventStream(request, async (events) => {
 *         const onNews = (news) => void events.send({ event: 'news', data: news, id: news.id });
 *         bus.on('news', onNews);
 *         await events.closed;
 *         bus.off('news', onNews);
 *       }),
 *     );
 *
 * The source is begun when the answer is sent (not for HEAD). When the client leaves, an iterable is returned. An error of the
 * source breaks the stream off; the browser connects again. lighttpd needs `server.stream-response-body = 1`; nginx is told by
 * X-Accel-Buffering not to hold events back. Throws RangeError for a `keepAlive` that is more than a day or not positive.
 */
export function eventStream(
  request: HttpRequest,
  source: EventSender | AsyncIterable<ServerSentEvent | string>,
  options: EventStreamOptions = {},
): HttpResponse {
  const { keepAlive = 15, maxBuffered = 256 * 1024 } = options;
  if (!(keepAlive > 0 && keepAlive <= 86_400))
    throw new RangeError(`keepAlive: ${keepAlive} is not 0 to 86,400 seconds`);
  const run = typeof source === 'function' ? source : forwarding(source);
  const lastEventId = Buffer.from(request.header('Last-Event-ID') ?? '', 'latin1').toString();
  const queue = new EventQueue(run, lastEventId, keepAlive * 1000, maxBuffered);
  const response = new HttpResponse(queue, options.headers === undefined ? {} : { headers: options.headers });
  response.headers.set('Content-Type', 'text/event-stream');
  response.headers.set('Cache-Control', 'no-store');
  response.headers.set('X-Accel-Buffering', 'no');
  return response;
}

function forwarding(iterable: AsyncIterable<ServerSentEvent | string>): EventSender {
  return async (events) => {
    const source = sourceOf(iterable);
    void events.closed.then(() => source.giveUp());
    for (let step = await source.next(); !step.done; step = await source.next()) await events.send(step.value);
  };
}

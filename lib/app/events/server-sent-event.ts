// Server-sent events as text (WHATWG HTML, 9.2.5).

/** One event. Without `data` the browser dispatches nothing, but heeds `id` and `retry`. */
export interface ServerSentEvent {
  /** Text is sent as it is, in as many lines as it has; anything else as JSON. */
  data?: unknown;
  /** What the browser's listeners are by; without it `message`. */
  event?: string;
  /** What the browser sends as Last-Event-ID when it connects again. */
  id?: string;
  /** How long the browser waits before it connects again, in milliseconds. */
  retry?: number;
}

/** Throws TypeError for an `event` or `id` with a line break or NUL in it, a `retry` that is no time, data without a JSON form. */
export function formatEvent(event: ServerSentEvent | string): string {
  if (typeof event === 'string') return `${dataLines(event)}\n`;
  let text = '';
  if (event.event !== undefined) text += `event: ${oneLine('event', event.event)}\n`;
  if (event.id !== undefined) text += `id: ${oneLine('id', event.id)}\n`;
  if (event.retry !== undefined) {
    if (!Number.isSafeInteger(event.retry) || event.retry < 0)
      throw new TypeError(`retry: ${event.retry} is no time in ms`);
    text += `retry: ${event.retry}\n`;
  }
  if (event.data !== undefined) text += dataLines(event.data);
  return `${text}\n`;
}

function dataLines(data: unknown): string {
  const text = typeof data === 'string' ? data : (JSON.stringify(data) as string | undefined);
  if (text === undefined) throw new TypeError('the data of an event has no JSON form');
  return `data: ${text.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n`;
}

function oneLine(field: string, value: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\0\r\n]/.test(value)) throw new TypeError(`${field}: ${JSON.stringify(value)} has a line break or NUL in it`);
  return value;
}

// EventQueue: events between the source that sends them and the connection that takes them, as the body of a response.

import { formatEvent, type ServerSentEvent } from './server-sent-event.ts';

/** Where events go. */
export interface EventSink {
  /**
   * Send an event; text alone is its data. Resolves when it has been handed to the connection: who waits for that is as fast as
   * the client. Rejects once the stream is over; not waiting for it is no error. Throws TypeError for what is no event.
   */
  send(event: ServerSentEvent | string): Promise<void>;
  /** The id of the last event that the client got before it connected again; '' at first. */
  readonly lastEventId: string;
  /** Resolves when the stream is over: the client has left, or is too slow, or the source has ended. */
  readonly closed: Promise<void>;
}

/** Sends events until it returns, or, with `await events.closed` at its end, until the client leaves. */
export type EventSender = (events: EventSink) => unknown;

interface Waiting {
  resolve(step: IteratorResult<string, undefined>): void;
  reject(error: unknown): void;
}

const KEEP_ALIVE = ':\n\n'; // a comment

export class EventQueue implements EventSink, AsyncIterableIterator<string, undefined> {
  readonly lastEventId: string;
  readonly closed: Promise<void>;
  readonly #source: EventSender;
  readonly #keepAlive: number;
  readonly #maxBuffered: number;
  #started = false;
  #over = false;
  #failure: { error: unknown } | undefined;
  #text = ''; // events that wait to be taken
  #pending: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #taker: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #onClosed: () => void = () => {};

  /** `keepAlive`: milliseconds. `maxBuffered`: characters. */
  constructor(source: EventSender, lastEventId: string, keepAlive: number, maxBuffered: number) {
    this.#source = source;
    this.lastEventId = lastEventId;
    this.#keepAlive = keepAlive;
    this.#maxBuffered = maxBuffered;
    this.closed = new Promise((resolve) => (this.#onClosed = resolve));
  }

  send(event: ServerSentEvent | string): Promise<void> {
    const text = formatEvent(event);
    const sent = new Promise<void>((resolve, reject) => this.#pending.push({ resolve, reject }));
    sent.catch(() => {}); // for those who do not wait
    if (!this.#over && this.#text !== '' && this.#text.length + text.length > this.#maxBuffered) {
      this.#end({ error: new Error(`the client is too slow: over ${this.#maxBuffered} characters of events wait`) });
      this.#text = '';
    }
    if (this.#over) this.#rejectPending();
    else this.#text += text;
    this.#deliver();
    return sent;
  }

  /** The connection has room. */
  next(): Promise<IteratorResult<string, undefined>> {
    if (!this.#started) {
      this.#started = true;
      void this.#run();
    }
    return new Promise((resolve, reject) => {
      this.#taker = { resolve, reject };
      this.#timer = setTimeout(() => this.#give({ done: false, value: KEEP_ALIVE }), this.#keepAlive);
      this.#deliver();
    });
  }

  /** The connection takes no more. */
  return(): Promise<IteratorResult<string, undefined>> {
    this.#started = true;
    this.#end(undefined);
    this.#text = '';
    this.#rejectPending();
    this.#deliver();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #run(): Promise<void> {
    try {
      await this.#source(this);
      this.#end(undefined);
    } catch (error) {
      this.#end({ error });
    }
    this.#deliver();
  }

  #end(failure: { error: unknown } | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#onClosed();
  }

  #rejectPending(): void {
    for (const { reject } of this.#pending.splice(0)) reject(new Error('the event stream is over'));
  }

  /** Give the one who takes what there is: all events at once, then the end. */
  #deliver(): void {
    if (this.#taker === undefined) return;
    if (this.#text !== '') {
      const value = this.#text;
      this.#text = '';
      this.#give({ done: false, value });
      for (const { resolve } of this.#pending.splice(0)) resolve();
    } else if (this.#failure !== undefined) {
      const taker = this.#untake();
      taker?.reject(this.#failure.error);
      this.#failure = undefined;
    } else if (this.#over) this.#give({ done: true, value: undefined });
  }

  #give(step: IteratorResult<string, undefined>): void {
    this.#untake()?.resolve(step);
  }

  #untake(): Waiting | undefined {
    const taker = this.#taker;
    this.#taker = undefined;
    clearTimeout(this.#timer);
    return taker;
  }
}

// One connection to the application: request ids and slots, records to their receivers, pausing, closing.

import {
  END_REQUEST,
  GET_VALUES,
  GET_VALUES_RESULT,
  NULL_REQUEST_ID,
  PairReader,
  ProtocolError,
  RecordParser,
  STDERR,
  STDOUT,
  UNKNOWN_TYPE,
  decodeEndRequest,
  decodeUnknownType,
  encodeAbortRequest,
  encodeGetValues,
  type EndRequestBody,
} from '../protocol/index.ts';
import { formatAddress } from './address.ts';
import { ApplicationSocket } from './application-socket.ts';
import { ClientError } from './client-error.ts';
import { connectMessage } from './connect-message.ts';
import { Deadline } from './deadline.ts';
import type { Settings } from './options.ts';
import { RecordTracer } from './record-tracer.ts';
import { Slots, type Receiver, type ValuesReceiver } from './slots.ts';

/** Who owns the connection. */
export interface ConnectionOwner {
  /** The connection can take requests. */
  opened(connection: Connection): void;
  /** A slot has become free. */
  freed(connection: Connection): void;
  /** The connection is over; told before its receivers are. */
  closed(connection: Connection, error: ClientError): void;
}

export class Connection {
  readonly #settings: Settings;
  readonly #owner: ConnectionOwner;
  readonly #socket: ApplicationSocket = new ApplicationSocket();
  readonly #parser: RecordParser;
  readonly #sentTracer: RecordTracer | undefined;
  readonly #receivedTracer: RecordTracer | undefined;
  readonly #deadline: Deadline = new Deadline(); // of connecting, then of idleness
  readonly #slots: Slots = new Slots();
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #served = 0;
  #retired = false;
  readonly #pausedBy: Set<Receiver> = new Set();
  #waitingForDrain: (() => void)[] = [];

  /** Begins to connect. */
  constructor(settings: Settings, owner: ConnectionOwner) {
    this.#settings = settings;
    this.#owner = owner;
    const { onRecord, address } = settings;
    if (onRecord) {
      this.#sentTracer = new RecordTracer((type, id, length) => onRecord('sent', type, id, length));
      this.#receivedTracer = new RecordTracer((type, id, length) => onRecord('received', type, id, length));
    }
    this.#parser = new RecordParser('web-server', (type, id, chunk, start, end) =>
      this.#onRecord(type, id, chunk, start, end),
    );
    this.#socket
      .on('connect', () => this.#onConnect())
      .on('data', (chunk: Buffer) => this.#onData(chunk))
      .on('drain', () => this.#onDrain())
      .on('end', () => this.#onLost())
      .on('error', (error) => this.#onLost(error))
      .on('close', () => this.#onLost());
    this.#deadline.set(settings.connectTimeout, () => {
      this.#close(new ClientError('CONNECT_TIMEOUT', `${this.#name}: no connection in ${settings.connectTimeout} ms`));
    });
    this.#socket.connect('path' in address ? address : { ...address, noDelay: true });
  }

  /** Slots taken: requests and GET_VALUES that have not been answered. */
  get load(): number {
    return this.#slots.load;
  }

  /** Requests that were answered on it. */
  get served(): number {
    return this.#served;
  }

  /** Whether it is made, and not over. */
  get open(): boolean {
    return this.#state === 'open';
  }

  /** Whether it can take one more request. */
  get available(): boolean {
    return (
      this.writable &&
      !this.#retired &&
      this.#pausedBy.size === 0 &&
      this.load < this.#settings.maxRequestsPerConnection
    );
  }

  /** Whether what is written can still arrive. */
  get writable(): boolean {
    return this.#state === 'open' && !this.#socket.deaf;
  }

  /** Whether a slow reader keeps the socket from being read. */
  get paused(): boolean {
    return this.#pausedBy.size > 0;
  }

  /** Take a slot for a request; returns its id, never one whose END_REQUEST has not come (3.3). */
  add(receiver: Receiver): number {
    this.#wake();
    return this.#slots.add(receiver);
  }

  /** Take a slot for GET_VALUES and send it. */
  query(names: readonly string[], receiver: ValuesReceiver): void {
    this.#wake();
    this.#slots.addQuery(receiver);
    this.write([encodeGetValues(names)]);
  }

  /**
   * Write whole records, as one write. False: wait for `drained()` before the next one. `onDelivered` is called once the
   * system has taken them all, and not at all where the application had stopped reading.
   */
  write(buffers: readonly Buffer[], onDelivered?: () => void): boolean {
    if (!this.writable) return true;
    const socket = this.#socket;
    if (this.#sentTracer) for (const buffer of buffers) this.#sentTracer.push(buffer);
    const written = onDelivered && ((): void => (socket.deaf ? undefined : onDelivered()));
    if (buffers.length > 1) {
      socket.cork();
      for (let i = 0; i < buffers.length - 1; i++) socket.write(buffers[i] as Buffer);
    }
    const more = socket.write(buffers.at(-1) as Buffer, written);
    if (buffers.length > 1) socket.uncork();
    return more;
  }

  /** Resolves when there is room to write, or no more sense in it. */
  drained(): Promise<void> {
    if (!this.writable || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForDrain.push(resolve));
  }

  /** Stop reading until the same receiver resumes. */
  pause(receiver: Receiver): void {
    this.#pausedBy.add(receiver);
    this.#socket.pause();
  }

  resume(receiver: Receiver): void {
    if (!this.#pausedBy.delete(receiver) || this.#pausedBy.size > 0 || this.#state === 'closed') return;
    this.#socket.resume();
    this.#owner.freed(this);
  }

  /** Nobody waits for this request any more: send ABORT_REQUEST, and keep the id until END_REQUEST comes (5.4). */
  abort(id: number): void {
    this.write([encodeAbortRequest(id)]);
    const deadline = new Deadline();
    deadline.set(this.#settings.abortTimeout, () => this.retire());
    this.#slots.giveUp(id, () => deadline.clear());
  }

  /** Nobody waits for this GET_VALUES any more. Its answer would be taken for another's, so no request is added. */
  forget(query: ValuesReceiver): void {
    this.#slots.giveUpQuery(query);
    this.retire();
  }

  /** Take no more requests, and close when those are done that somebody waits for. */
  retire(): void {
    this.#retired = true;
    if (this.#slots.unwanted) this.destroy();
  }

  /** Close now. */
  destroy(): void {
    this.#close(new ClientError('CLOSED', `${this.#name}: this client closed the connection`));
  }

  get #name(): string {
    return formatAddress(this.#settings.address);
  }

  #onConnect(): void {
    this.#deadline.clear();
    this.#state = 'open';
    this.#owner.opened(this);
    if (this.load === 0) this.#rest();
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      this.#receivedTracer?.push(chunk);
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        this.destroy(); // an observer or a 'data' listener threw in the middle of a chunk: the rest of it is lost
        throw error;
      }
      this.#close(new ClientError('BAD_RESPONSE', `${this.#name}: ${error.message}`, { cause: error }));
    }
  }

  #onRecord(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    switch (type) {
      case STDOUT:
        this.#slots.receiver(id)?.stdout(chunk, start, end);
        return;
      case STDERR:
        this.#slots.receiver(id)?.stderr(chunk, start, end);
        return;
      case END_REQUEST:
        this.#onEndRequest(id, decodeEndRequest(chunk, start, end));
        return;
      case GET_VALUES_RESULT:
        if (id === NULL_REQUEST_ID) this.#onValues(chunk, start, end);
        return;
      case UNKNOWN_TYPE:
        if (decodeUnknownType(chunk, start, end) === GET_VALUES) this.#onValuesUnknown();
        return;
      default: // not the application's to send, or of a later version: skipped (3.3)
    }
  }

  #onEndRequest(id: number, body: EndRequestBody): void {
    const receiver = this.#slots.release(id);
    if (receiver === undefined) return;
    this.#served += 1;
    receiver.ended(body);
    this.#free();
  }

  #onValues(chunk: Buffer, start: number, end: number): void {
    const reader = new PairReader();
    reader.push(chunk, start, end);
    const values = reader.finish();
    const query = this.#slots.releaseQuery();
    if (query === undefined) return;
    this.#served += 1;
    query.result(values);
    this.#free();
  }

  #onValuesUnknown(): void {
    const query = this.#slots.releaseQuery();
    if (query === undefined) return;
    this.#served += 1;
    query.lost(new ClientError('UNKNOWN_TYPE', `${this.#name}: the application does not know GET_VALUES`));
    this.#free();
  }

  #free(): void {
    if (this.#state === 'closed') return;
    if (this.#retired ? this.#slots.unwanted : this.load === 0 && !this.#settings.keepConn) return this.destroy();
    if (this.load === 0) this.#rest();
    this.#owner.freed(this);
  }

  /** Idle: does not keep the process running, and not for ever. */
  #rest(): void {
    this.#socket.unref();
    this.#deadline.set(this.#settings.idleTimeout, () => this.destroy(), true);
  }

  #wake(): void {
    if (this.load > 0) return;
    this.#deadline.clear();
    this.#socket.ref();
  }

  #onDrain(): void {
    const waiting = this.#waitingForDrain;
    this.#waitingForDrain = [];
    for (const resolve of waiting) resolve();
  }

  #onLost(cause?: Error): void {
    if (this.#state === 'connecting') {
      this.#close(new ClientError('CONNECT_FAILED', `${this.#name}: ${connectMessage(cause)}`, { cause }));
      return;
    }
    const where = this.#parser.atBoundary ? '' : ' in the middle of a record';
    const message = `${this.#name}: the application closed the connection${where}`;
    this.#close(new ClientError('CLOSED', message, cause && { cause }));
  }

  #close(error: ClientError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deadline.clear();
    this.#parser.stop();
    this.#socket.destroy();
    this.#onDrain();
    this.#owner.closed(this, error);
    this.#slots.lose(error);
  }
}

// A web server's connection by hand: sends any bytes, cut in any way, and keeps the records that come back.

import { connect, type Socket } from 'node:net';
import { Mailbox } from './mailbox.ts';
import { END, record, STDERR, STDOUT, UNKNOWN_TYPE } from './raw-records.ts';

/** A record as it came. */
export interface RawRecord {
  readonly type: number;
  readonly id: number;
  readonly content: Buffer;
  readonly padding: Buffer;
  readonly reserved: number;
}

/** Everything that came for one request, up to its END_REQUEST. */
export interface RawResponse {
  readonly records: readonly RawRecord[];
  /** The STDOUT stream, in latin1. */
  readonly stdout: string;
  readonly stderr: string;
  readonly appStatus: number;
  readonly protocolStatus: number;
  /** The number in the CGI head's Status, if there is one. */
  readonly status: number | undefined;
  /** What stands behind the CGI head. */
  readonly body: string;
}

/** How bytes are sent: all at once, one in each turn of the event loop, or in pieces of 1 to 40 bytes. */
export type Delivery = 'whole' | 'byte by byte' | 'in random chunks';

export const DELIVERIES: readonly Delivery[] = ['whole', 'byte by byte', 'in random chunks'];

const SYNC = 254; // a record type that nobody else uses

/** How the connection ended. */
export type Ending = 'end' | 'reset';

/** The next turn of the event loop: what was written until now has been read by then. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class RawClient {
  readonly socket: Socket;
  /** All records so far. */
  readonly records: RawRecord[] = [];
  /** Sizes of the chunks as they were read. */
  readonly chunkSizes: number[] = [];
  /** Resolves when the server has ended or reset the connection. Never rejects. */
  readonly closed: Promise<Ending>;
  #bytes: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #received = 0;
  #syncing = false;
  #ending: Ending | undefined;
  readonly #open: Map<number, RawRecord[]> = new Map();
  readonly #responses: Map<number, Mailbox<RawResponse>> = new Map();
  readonly #waiting: Set<() => void> = new Set();

  /** `where`: a unix socket's path, or a port of `host`. */
  static async connect(where: string | number, host = '127.0.0.1'): Promise<RawClient> {
    const socket =
      typeof where === 'string'
        ? connect({ path: where, allowHalfOpen: true })
        : connect({ port: where, host, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new RawClient(socket);
  }

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.closed = new Promise((resolve) => {
      socket.on('end', () => resolve(this.#onClosed('end')));
      socket.on('close', () => resolve(this.#onClosed('reset')));
    });
    socket.on('error', () => {}); // 'close' follows
  }

  /** Bytes received. */
  get received(): number {
    return this.#received;
  }

  /** How the server ended the connection, if it has. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Everything that has come, as it came. */
  get bytes(): Buffer {
    this.#bytes = [Buffer.concat(this.#bytes)];
    return this.#bytes[0] as Buffer;
  }

  /** Whether what has come ends in the middle of a record. */
  get midRecord(): boolean {
    return this.#rest.length > 0;
  }

  /** Send; resolves when it has been handed to the system, or the connection is gone. */
  async send(content: Buffer, delivery: Delivery = 'whole', seed = 1): Promise<void> {
    if (delivery === 'whole') return this.#write(content);
    const random = randomNumbers(seed);
    for (let at = 0; at < content.length && this.#ending === undefined;) {
      const size = delivery === 'byte by byte' ? 1 : 1 + Math.floor(random() * 40);
      await this.#write(content.subarray(at, at + size));
      await turn();
      at += size;
    }
  }

  /** The next response for this id that is not taken yet: its records up to END_REQUEST. Rejects if the server closes. */
  response(id = 1): Promise<RawResponse> {
    return this.#mailbox(id).next();
  }

  /** Wait until a record of this type has come for this id. */
  async record(type: number, id: number): Promise<RawRecord> {
    const find = (): RawRecord | undefined => this.records.find((one) => one.type === type && one.id === id);
    await this.until(() => find() !== undefined);
    return find() as RawRecord;
  }

  /** Wait until something is true that depends on what has come. Rejects when the server closes before. */
  until(test: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (test()) resolve();
        else if (this.#ending !== undefined) reject(new Error(`the server closed (${this.#ending}) before`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /**
   * Wait until the server has handled everything sent so far: it answers an unknown management record behind it, with one
   * that is not among `records`.
   */
  async sync(): Promise<void> {
    this.#syncing = true;
    await this.send(record(SYNC, 0));
    await this.until(() => !this.#syncing);
  }

  /** End our side. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #write(content: Buffer): Promise<void> {
    if (this.socket.destroyed || this.socket.writableEnded) return Promise.resolve();
    return new Promise((resolve) => this.socket.write(content, () => resolve()));
  }

  #onData(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#bytes.push(chunk);
    this.chunkSizes.push(chunk.length);
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 8) {
      const content = rest.readUInt16BE(4);
      const padding = rest[6] as number;
      if (rest.length < 8 + content + padding) break;
      if (rest[0] !== 1) throw new Error(`the server sent version ${rest[0]}`);
      this.#onRecord({
        type: rest[1] as number,
        id: rest.readUInt16BE(2),
        content: rest.subarray(8, 8 + content),
        padding: rest.subarray(8 + content, 8 + content + padding),
        reserved: rest[7] as number,
      });
      rest = rest.subarray(8 + content + padding);
    }
    this.#rest = rest;
    this.#look();
  }

  #onRecord(one: RawRecord): void {
    if (this.#syncing && one.type === UNKNOWN_TYPE && one.content[0] === SYNC) {
      this.#syncing = false;
      return;
    }
    this.records.push(one);
    if (one.id === 0) return;
    const records = this.#open.get(one.id) ?? [];
    records.push(one);
    this.#open.set(one.id, records);
    if (one.type !== END) return;
    this.#open.delete(one.id);
    this.#mailbox(one.id).put(responseOf(records));
  }

  #onClosed(ending: Ending): Ending {
    this.#ending ??= ending;
    for (const box of this.#responses.values()) box.close(`the server closed (${this.#ending}) without END_REQUEST`);
    this.#look();
    return this.#ending;
  }

  #mailbox(id: number): Mailbox<RawResponse> {
    const box = this.#responses.get(id) ?? new Mailbox();
    if (this.#ending !== undefined) box.close(`the server closed (${this.#ending}) without END_REQUEST`);
    this.#responses.set(id, box);
    return box;
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

function responseOf(records: RawRecord[]): RawResponse {
  const streamOf = (type: number): string =>
    Buffer.concat(records.filter((one) => one.type === type).map((one) => one.content)).toString('latin1');
  const end = records.at(-1) as RawRecord;
  const stdout = streamOf(STDOUT);
  const status = /^Status: (\d+)/.exec(stdout)?.[1];
  const bodyAt = stdout.indexOf('\r\n\r\n');
  return {
    records,
    stdout,
    stderr: streamOf(STDERR),
    appStatus: end.content.readUInt32BE(0),
    protocolStatus: end.content[4] as number,
    status: status === undefined ? undefined : Number(status),
    body: bodyAt < 0 ? '' : stdout.slice(bodyAt + 4),
  };
}

// Slots: who waits for what on one connection, by request id and, for GET_VALUES, in order.

import type { EndRequestBody, NameValues } from '../protocol/index.ts';
import type { ClientError } from './client-error.ts';

/** Who gets the records of one request id. */
export interface Receiver {
  /** Output, `chunk[start, end)`; empty at the end of the stream. */
  stdout(chunk: Buffer, start: number, end: number): void;
  stderr(chunk: Buffer, start: number, end: number): void;
  /** END_REQUEST: the last call. */
  ended(body: EndRequestBody): void;
  /** The connection ended before END_REQUEST: the last call. */
  lost(error: ClientError): void;
}

/** Who gets the answer to one GET_VALUES. */
export interface ValuesReceiver {
  result(values: NameValues): void;
  lost(error: ClientError): void;
}

const ignore = (): void => {};

export class Slots {
  readonly #receivers: Map<number, Receiver> = new Map();
  readonly #freeIds: number[] = [];
  #nextId = 1;
  #queries: ValuesReceiver[] = []; // GET_VALUES has no id (4.1)
  #givenUp = 0;

  /** Slots taken. */
  get load(): number {
    return this.#receivers.size + this.#queries.length;
  }

  /** Whether nobody waits for anything; answers may still come for those that were given up. */
  get unwanted(): boolean {
    return this.load === this.#givenUp;
  }

  /** Take a slot; returns its id, never one whose END_REQUEST has not come (3.3). */
  add(receiver: Receiver): number {
    const id = this.#freeIds.pop() ?? this.#nextId++;
    this.#receivers.set(id, receiver);
    return id;
  }

  /** Who waits for the records of an id. */
  receiver(id: number): Receiver | undefined {
    return this.#receivers.get(id);
  }

  /** END_REQUEST has come: the id can be used again. */
  release(id: number): Receiver | undefined {
    const receiver = this.#receivers.get(id);
    if (receiver === undefined) return undefined;
    this.#receivers.delete(id);
    this.#freeIds.push(id);
    return receiver;
  }

  /** Nobody waits for this id any more; its slot stays taken until END_REQUEST. `onOver`: then, or with the connection. */
  giveUp(id: number, onOver: () => void): void {
    this.#givenUp += 1;
    const over = (): void => {
      this.#givenUp -= 1;
      onOver();
    };
    this.#receivers.set(id, { stdout: ignore, stderr: ignore, ended: over, lost: over });
  }

  addQuery(query: ValuesReceiver): void {
    this.#queries.push(query);
  }

  /** An answer to GET_VALUES has come: whose it is. */
  releaseQuery(): ValuesReceiver | undefined {
    return this.#queries.shift();
  }

  /** Nobody waits for this answer any more; its slot stays taken, or the next answer would be taken for it. */
  giveUpQuery(query: ValuesReceiver): void {
    this.#givenUp += 1;
    const over = (): void => {
      this.#givenUp -= 1;
    };
    this.#queries = this.#queries.map((other) => (other === query ? { result: over, lost: over } : other));
  }

  /** The connection is over: tell everybody. */
  lose(error: ClientError): void {
    for (const receiver of this.#receivers.values()) receiver.lost(error);
    for (const query of this.#queries) query.lost(error);
  }
}

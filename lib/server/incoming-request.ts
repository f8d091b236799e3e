// IncomingRequest: one active request id of a connection, from BEGIN_REQUEST to END_REQUEST.

import { contentLength } from '../cgi/index.ts';
import {
  AUTHORIZER,
  FILTER,
  NameValues,
  PairReader,
  ProtocolError,
  recordName,
  STDIN,
  type PairLimits,
} from '../protocol/index.ts';
import { JUST_NOW } from './channel.ts';
import type { Request } from './exchange.ts';
import { Input } from './input.ts';
import type { OutgoingResponse, ResponseOwner } from './outgoing-response.ts';
import { RequestError } from './request-error.ts';

const NO_PARAMS = new NameValues('');

/** How far a request is. */
export type Phase =
  | 'params' // PARAMS are coming
  | 'ready' // they have ended
  | 'handling' // the handler has been called, or the refusal sent
  | 'aborted'; // the web server wants no answer; END_REQUEST waits for the handler, for a while

/** The connection, as its requests see it. */
export interface RequestOwner {
  /** An input has room again. */
  onRoom(): void;
  /** The answer is complete, or was cut. */
  onOver(request: IncomingRequest, cut: boolean): void;
}

export class IncomingRequest implements Request, ResponseOwner {
  readonly id: number;
  readonly role: number;
  readonly keepConn: boolean;
  /** Whether it counts against the server's bound on active requests. */
  readonly admitted: boolean;
  phase: Phase = 'params';
  /** Its last progress, or its beginning: milliseconds or JUST_NOW. */
  since: number = JUST_NOW;
  /** Where it is being handled, since when: milliseconds or JUST_NOW. */
  handledSince: number = JUST_NOW;
  params: NameValues = NO_PARAMS;
  contentLength: number | undefined;
  /** The status to answer with instead of calling the handler. */
  refusal: number | undefined;
  /** Set by the connection at the end of PARAMS. */
  response!: OutgoingResponse;
  #stdinEnded = false;
  #dataEnded = false;
  readonly #owner: RequestOwner;
  #reader: PairReader | undefined;
  #stdin: Input | undefined;
  #data: Input | undefined;
  #abortReason: RequestError | undefined;
  #controller: AbortController | undefined;
  #onAbort: ((reason: Error) => void)[] | undefined;

  constructor(id: number, role: number, keepConn: boolean, admitted: boolean, owner: RequestOwner) {
    this.id = id;
    this.role = role;
    this.keepConn = keepConn;
    this.admitted = admitted;
    this.#owner = owner;
  }

  get stdin(): Input {
    if (this.role === AUTHORIZER) return (this.#stdin ??= this.#openInput(0, true)); // none has to come (6.3)
    return (this.#stdin ??= this.#openInput(this.contentLength, this.#stdinEnded));
  }

  get data(): Input {
    if (this.role !== FILTER) return (this.#data ??= this.#openInput(0, true));
    return (this.#data ??= this.#openInput(lengthOf(this.params.get('FCGI_DATA_LENGTH')), this.#dataEnded));
  }

  /** Whether the web server has sent all that it sends for this request. */
  get inputEnded(): boolean {
    return this.#stdinEnded && (this.#dataEnded || this.role !== FILTER);
  }

  get aborted(): boolean {
    return this.#abortReason !== undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  onAbort(listener: (reason: Error) => void): void {
    if (this.#abortReason !== undefined) listener(this.#abortReason);
    else if (this.#onAbort === undefined) this.#onAbort = [listener];
    else this.#onAbort.push(listener);
  }

  /** The inputs that exist: nobody asks for most. */
  get inputs(): Input[] {
    return [this.#stdin, this.#data].filter((input) => input !== undefined);
  }

  /** The handler will not be called; what still comes for the request is skipped. */
  refuse(status: number): void {
    this.refusal = status;
    this.#reader = undefined;
  }

  /** A piece of PARAMS; beyond the bounds the request is refused with 431. */
  readParams(chunk: Buffer, start: number, end: number, limits: PairLimits): void {
    if (this.refusal !== undefined) return;
    try {
      this.#reader ??= new PairReader(limits);
      this.#reader.push(chunk, start, end);
    } catch (error) {
      this.#refuseFor(error, 431);
    }
  }

  /** PARAMS have ended; with a pair cut, or a CONTENT_LENGTH that is no number, the request is refused with 400. */
  endParams(): void {
    this.phase = 'ready';
    this.since = JUST_NOW;
    if (this.#reader === undefined) return;
    try {
      this.params = this.#reader.finish();
      this.#reader = undefined;
      this.contentLength = contentLength(this.params);
      if (Number.isNaN(this.contentLength)) this.refuse(400);
    } catch (error) {
      this.#refuseFor(error, 400);
    }
  }

  /**
   * A piece of STDIN or DATA, or its end; the input that took it, where one did. Throws ProtocolError `BAD_ORDER` while PARAMS
   * have not ended.
   */
  takeInput(type: number, chunk: Buffer, start: number, end: number): Input | undefined {
    if (this.phase === 'params') throw new ProtocolError('BAD_ORDER', `${recordName(type)} before PARAMS ended`);
    if (start === end) {
      if (type === STDIN) this.endStdin();
      else this.endData();
      return undefined;
    }
    if (this.refusal !== undefined || this.phase === 'aborted') return undefined;
    this.since = JUST_NOW;
    const input = type === STDIN ? this.stdin : this.data;
    input.push(chunk.subarray(start, end));
    return input;
  }

  endStdin(): void {
    this.#stdinEnded = true;
    this.#stdin?.end();
  }

  endData(): void {
    this.#dataEnded = true;
    this.#data?.end();
  }

  over(cut: boolean): void {
    this.#owner.onOver(this, cut);
  }

  /** Tell the handler, through its signal and its inputs. */
  abort(reason: RequestError): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    for (const input of this.inputs) input.fail(reason);
    this.#controller?.abort(reason);
    for (const listener of this.#onAbort ?? []) listener(reason);
  }

  /** A handler that waits for input waits no longer. */
  starve(): void {
    for (const input of this.inputs) {
      if (input.starving) input.fail(new RequestError('BODY_TIMEOUT', 'nothing of the body came for bodyTimeout'));
    }
  }

  /** The request is over: whatever is held for it is given back. */
  release(): void {
    if (this.#stdin === undefined && this.#data === undefined) return;
    for (const input of this.inputs) {
      if (!input.done) input.fail(new RequestError('ABORTED', 'the request is over'));
    }
  }

  #openInput(expected: number | undefined, ended: boolean): Input {
    const input = new Input(expected, () => {
      this.since = JUST_NOW; // a wait for input may begin
      this.#owner.onRoom();
    });
    if (this.#abortReason !== undefined) input.fail(this.#abortReason);
    else if (ended) input.end();
    return input;
  }

  #refuseFor(error: unknown, status: number): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.refuse(status);
  }
}

function lengthOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

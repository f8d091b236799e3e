// Connection: one web server's connection. Records in, requests to their handlers, and its deadlines.

import type { Socket } from 'node:net';
import {
  ABORT_REQUEST,
  BEGIN_REQUEST,
  CANT_MPX_CONN,
  DATA,
  decodeBeginRequest,
  encodeEndRequest,
  FILTER,
  GET_VALUES,
  OVERLOADED,
  PARAMS,
  ProtocolError,
  RecordParser,
  recordName,
  REQUEST_COMPLETE,
  STDIN,
  UNKNOWN_ROLE,
} from '../protocol/index.ts';
import { Channel, JUST_NOW } from './channel.ts';
import type { Handler } from './exchange.ts';
import { IncomingRequest, type RequestOwner } from './incoming-request.ts';
import type { Host } from './host.ts';
import { InputFlow } from './input-flow.ts';
import { answerManagement, isManagement } from './management.ts';
import type { Settings } from './options.ts';
import { OutgoingResponse } from './outgoing-response.ts';
import { refuse } from './refusal.ts';
import { Replies } from './replies.ts';
import { RequestError } from './request-error.ts';
import { runHandler } from './run-handler.ts';
import { timeOut } from './time-out.ts';

export class Connection implements RequestOwner {
  readonly #socket: Socket;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #parser: RecordParser;
  readonly #channel: Channel;
  readonly #flow: InputFlow;
  readonly #replies: Replies;
  readonly #onClosed: () => void;
  readonly #requests: Map<number, IncomingRequest> = new Map();
  #ready: IncomingRequest[] = [];
  #served = 0;
  #closeWhenIdle = false;
  #inputPending = false; // whether more may come for requests that are over
  #since = JUST_NOW; // the last record's beginning, or the last request's end

  /** `adopted`: it has had requests in another process. */
  constructor(socket: Socket, host: Host, adopted: boolean, onClosed: () => void) {
    this.#socket = socket;
    this.#host = host;
    this.#settings = host.settings;
    this.#channel = new Channel(socket, host.settings);
    this.#flow = new InputFlow(socket, host.settings);
    this.#replies = new Replies(this.#channel, host.settings.outputBuffer, () => this.#updateFlow());
    this.#onClosed = onClosed;
    this.#served = adopted ? 1 : 0;
    this.#parser = new RecordParser('application', (type, id, chunk, start, end) =>
      this.#onRecord(type, id, chunk, start, end),
    );
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('error', (error) => this.#settings.log.debug({ err: error }, 'connection to the web server failed'));
    socket.on('close', () => this.#onClose());
  }

  /** Whether no request is active. */
  get idle(): boolean {
    return this.#requests.size === 0;
  }

  /** Tell the handlers of what runs, and close. */
  stop(): void {
    for (const request of this.#requests.values()) {
      request.abort(new RequestError('STOPPING', 'the server is stopping'));
    }
    this.#channel.close();
  }

  /**
   * Let another process have it, if nothing is on its way here: what comes meanwhile waits in the socket. Whether it wanted
   * to go and nobody could take it now.
   */
  handOver(): boolean {
    if (!this.idle || !this.#parser.atBoundary || this.#inputPending || this.#closeWhenIdle) return false;
    this.#channel.flush();
    const { descriptor, queued, ending } = this.#channel;
    if (descriptor === undefined || queued > 0 || this.#socket.readableLength > 0 || ending) return false;
    if (!this.#host.handOver(descriptor)) return true;
    this.#channel.abandon();
    return false;
  }

  /** Close with the next answer: the web server sees the end together with it, and seldom sends in between. */
  closeWithAnswer(): void {
    this.#closeWhenIdle = true;
  }

  #onData(chunk: Buffer): void {
    if (this.#channel.ending) return;
    if (this.#parser.atBoundary) this.#since = JUST_NOW; // a record sent byte by byte is as old as its first byte
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#settings.log.warn({ code: error.code }, `connection closed: ${error.message}`);
      this.#parser.stop();
      this.#channel.close();
      return;
    }
    if (this.#ready.length > 0) this.#dispatch();
  }

  #onRecord(type: number, id: number, chunk: Buffer, start: number, end: number): void {
    if (id === 0) {
      if (!isManagement(type)) throw new ProtocolError('BAD_ID', `${recordName(type)} with request id 0`);
      this.#onManagement(type, chunk, start, end);
      return;
    }
    if (type === BEGIN_REQUEST) {
      this.#onBegin(id, chunk, start, end);
      return;
    }
    const request = this.#requests.get(id);
    if (request === undefined) return; // records of an id that is not active are ignored (3.3)
    switch (type) {
      case PARAMS:
        this.#onParams(request, chunk, start, end);
        break;
      case STDIN:
        this.#onInput(request, STDIN, chunk, start, end);
        break;
      case DATA:
        if (request.role === FILTER) this.#onInput(request, DATA, chunk, start, end);
        break;
      case ABORT_REQUEST:
        this.#onAbort(request);
        break;
      default: // what only an application sends, and unknown types: skipped
    }
  }

  #onManagement(type: number, chunk: Buffer, start: number, end: number): void {
    if (type === GET_VALUES) this.#flow.share(); // only those ask who mean to multiplex
    const answer = answerManagement(type, chunk, start, end, this.#settings);
    if (answer !== undefined) this.#replies.send(answer);
  }

  #onDrain(): void {
    this.#replies.drained();
    this.onRoom();
    if (this.#host.closing) this.handOver();
  }

  #onBegin(id: number, chunk: Buffer, start: number, end: number): void {
    const { role, keepConn } = decodeBeginRequest(chunk, start, end);
    const { multiplex, maxRequestsPerConnection, overload } = this.#settings;
    if (this.#requests.has(id)) throw new ProtocolError('BAD_ID', `BEGIN_REQUEST for id ${id}, which is active`);
    if (this.#host.handlerOf(role) === undefined) return this.#turnAway(id, UNKNOWN_ROLE, keepConn);
    if (this.#requests.size >= maxRequestsPerConnection) {
      return this.#turnAway(id, multiplex ? OVERLOADED : CANT_MPX_CONN, true);
    }
    const admitted = this.#host.admit();
    if (!admitted && overload === 'status') return this.#turnAway(id, OVERLOADED, keepConn);
    if (this.#requests.size > 0 || id !== 1) this.#flow.share();
    const request = new IncomingRequest(id, role, keepConn, admitted, this);
    if (!admitted) request.refuse(503);
    this.#requests.set(id, request);
    this.#replies.requestBegins(this.#requests.size - 1);
  }

  /** END_REQUEST for a request that never becomes active (5.5). */
  #turnAway(id: number, protocolStatus: number, keepConn: boolean): void {
    this.#replies.send(encodeEndRequest(id, 0, protocolStatus));
    if (!keepConn) this.#closeWhenIdle = true;
    this.#inputPending = true;
    this.#finishIfIdle();
  }

  #onParams(request: IncomingRequest, chunk: Buffer, start: number, end: number): void {
    if (request.phase !== 'params') return; // they have ended and do not change any more
    if (start < end) {
      request.readParams(chunk, start, end, this.#settings.pairLimits);
      return;
    }
    request.endParams();
    request.response = new OutgoingResponse(request, this.#channel);
    this.#ready.push(request);
  }

  #onInput(request: IncomingRequest, type: number, chunk: Buffer, start: number, end: number): void {
    const input = request.takeInput(type, chunk, start, end);
    if (input !== undefined && this.#flow.isFull(input)) this.#updateFlow();
  }

  /** ABORT_REQUEST (5.4): the handler is told, and END_REQUEST waits for it, within bounds. */
  #onAbort(request: IncomingRequest): void {
    const { phase } = request;
    if (phase === 'aborted') return;
    request.phase = 'aborted';
    request.since = JUST_NOW;
    if (phase !== 'handling') return this.#endAborted(request);
    request.response.drop();
    request.abort(new RequestError('ABORTED', 'the web server aborted the request'));
  }

  /** FIN is the only sign of an aborted client that most web servers give. */
  #onEnd(): void {
    if (this.#requests.size === 0) this.#socket.end();
    else if (this.#settings.halfClose === 'abort') this.#channel.close();
    else {
      this.#closeWhenIdle = true;
      for (const request of this.#requests.values()) {
        if (request.phase === 'params') this.#remove(request);
        request.endStdin();
        request.endData();
      }
      this.#finishIfIdle();
    }
  }

  #onClose(): void {
    this.#parser.stop();
    for (const request of this.#requests.values()) {
      this.#remove(request);
      if (request.phase === 'handling') request.response.drop();
      request.abort(new RequestError('ABORTED', 'the web server closed the connection'));
    }
    this.#onClosed();
  }

  // From here: a request from the end of its PARAMS to its END_REQUEST.

  #dispatch(): void {
    const ready = this.#ready;
    this.#ready = [];
    if (ready.length > 1) this.#channel.gather();
    for (const request of ready) {
      if (request.phase !== 'ready') continue; // aborted within the same chunk
      request.phase = 'handling';
      if (request.refusal !== undefined) refuse(request.response, request.refusal);
      else {
        this.#host.handlerStarted();
        const handler = this.#host.handlerOf(request.role) as Handler;
        runHandler(handler, request, this.#settings.log, () => {
          this.#host.handlerEnded();
          if (request.phase === 'aborted') this.#endAborted(request);
        });
      }
    }
  }

  #endAborted(request: IncomingRequest): void {
    if (!this.#remove(request)) return;
    this.#replies.send(encodeEndRequest(request.id, 1, REQUEST_COMPLETE));
    this.#finishIfIdle();
  }

  /** The answer is complete, or was cut: its id is free again. */
  onOver(request: IncomingRequest, cut: boolean): void {
    if (!this.#remove(request)) return;
    request.release();
    if (cut) {
      // Web servers take END_REQUEST for a whole answer, so a request that is alone takes its connection with it.
      if (this.idle) this.#channel.breakOff(request.id, !this.#inputPending && this.#parser.atBoundary);
      else this.#replies.send(encodeEndRequest(request.id, 1, REQUEST_COMPLETE));
    }
    this.onRoom();
    this.#finishIfIdle();
  }

  /** Whether it was there. */
  #remove(request: IncomingRequest): boolean {
    if (this.#requests.get(request.id) !== request) return false;
    this.#requests.delete(request.id);
    if (request.admitted) this.#host.dismiss();
    if (!request.inputEnded) this.#inputPending = true;
    if (!request.keepConn) this.#closeWhenIdle = true;
    this.#served += 1;
    this.#since = JUST_NOW;
    return true;
  }

  #finishIfIdle(): void {
    if (!this.idle || this.#channel.ending) return;
    if (!this.#closeWhenIdle) {
      if (this.#host.closing) this.#handOverSoon();
      return;
    }
    this.#parser.stop(); // what still comes is nobody's business
    this.#channel.finish(!this.#inputPending && this.#parser.atBoundary);
    if (this.#flow.paused) this.#flow.update([], false);
  }

  /** Behind its answer: nothing that comes after it is to be read here. */
  #handOverSoon(): void {
    this.handOver();
    if (!this.#channel.ending && this.#channel.queued > 0) this.#channel.whenSent(() => this.handOver());
  }

  onRoom(): void {
    if (this.#flow.paused) this.#updateFlow();
  }

  #updateFlow(): void {
    const inputs = [...this.#requests.values()].flatMap((request) => request.inputs);
    this.#flow.update(inputs, this.#replies.held);
  }

  /**
   * Look at the deadlines. `now` in milliseconds. `idleTimeout`: how long a kept connection may be without a request; one
   * that has not had its first never closes earlier than headersTimeout, or a request on its way would be lost.
   */
  sweep(now: number, idleTimeout: number): void {
    this.#channel.sweep(now);
    if (this.#since === JUST_NOW || this.#channel.queued > 0) this.#since = now; // an answer that is not taken yet is no rest
    if (this.#channel.ending) return;
    if (this.idle) {
      const { headersTimeout } = this.#settings;
      const limit = this.#served > 0 && this.#parser.atBoundary ? idleTimeout : headersTimeout;
      if (now - this.#since >= limit) this.#channel.close();
      return;
    }
    for (const request of this.#requests.values()) this.#sweepRequest(request, now);
    if (this.#flow.isStalled(now) && [...this.#requests.values()].every((request) => request.keepConn)) {
      this.#flow.share(); // others may be waiting behind what is not read
      this.#updateFlow();
    }
  }

  #sweepRequest(request: IncomingRequest, now: number): void {
    if (request.phase === 'handling') {
      if (request.handledSince === JUST_NOW) request.handledSince = now;
      if (now - request.handledSince >= this.#settings.requestTimeout) return timeOut(request, this.#settings);
    }
    if (request.since === JUST_NOW) request.since = now;
    const quiet = now - request.since;
    if (request.phase === 'params' && quiet >= this.#settings.headersTimeout) {
      this.#settings.log.warn({}, 'request ended: its PARAMS did not end within headersTimeout');
      if (this.#requests.size === 1) this.#channel.close();
      else this.#endAborted(request);
    } else if (request.phase === 'aborted' && quiet >= this.#settings.abortTimeout) this.#endAborted(request);
    else if (quiet >= this.#settings.bodyTimeout) request.starve();
  }
}

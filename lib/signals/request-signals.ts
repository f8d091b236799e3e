// The signals of a request's life (django/core/signals.py), under Django's names.

import { Signal } from './signal.ts';

/** A request has come; nothing has been done for it yet. */
export interface RequestStarted {
  /** The HttpRequest. */
  request: unknown;
}

/** A request is over: answered, failed, aborted, or its worker is stopping. */
export interface RequestFinished {
  /** The HttpRequest. */
  request: unknown;
  /** What went wrong after the handler, where something did: the peer went away, or a body broke off. */
  error: unknown;
}

/** Something of the application failed that nobody had made an answer of. */
export interface RequestException {
  /** The HttpRequest. */
  request: unknown;
  error: unknown;
}

/** Sent before anything else is done for a request. `sender` is the Application. Sent robustly, awaited in order. */
export const request_started: Signal<RequestStarted> = new Signal('request_started');

/**
 * Sent exactly once for every request whose `request_started` was sent, however it ends. `sender` is the Application.
 * Sent robustly, awaited in order, receivers connected with `last` at the end.
 */
export const request_finished: Signal<RequestFinished> = new Signal('request_finished');

/**
 * Sent once for each error that becomes a 500, that breaks a body off behind its head, or that rejects what `waitUntil` was
 * given. `sender` is the Application that was asked, also for what its sub-applications throw.
 */
export const got_request_exception: Signal<RequestException> = new Signal('got_request_exception');

// The signals as users see them: signals/ knows no requests, here they have their type.

import type { HttpRequest } from './app/index.ts';
import {
  after_fork,
  before_fork,
  got_request_exception,
  request_finished,
  request_started,
  worker_started,
  worker_stopping,
  type ForkEvent,
  type RequestException,
  type RequestFinished,
  type RequestStarted,
  type Signal,
  type WorkerEvent,
} from './signals/index.ts';

type WithRequest<Named> = Omit<Named, 'request'> & { request: HttpRequest };

/** The signals of requests, sent by an Application, of workers and of forks. See docs/signals.md. */
export const signals: {
  readonly request_started: Signal<WithRequest<RequestStarted>>;
  readonly request_finished: Signal<WithRequest<RequestFinished>>;
  readonly got_request_exception: Signal<WithRequest<RequestException>>;
  readonly worker_started: Signal<WorkerEvent>;
  readonly worker_stopping: Signal<WorkerEvent>;
  readonly before_fork: Signal<ForkEvent>;
  readonly after_fork: Signal<ForkEvent & { inWorker: boolean }>;
} = {
  request_started: request_started as Signal<WithRequest<RequestStarted>>,
  request_finished: request_finished as Signal<WithRequest<RequestFinished>>,
  got_request_exception: got_request_exception as Signal<WithRequest<RequestException>>,
  worker_started,
  worker_stopping,
  before_fork,
  after_fork,
};

// signals/: Signal and the signals of requests and workers, pure.

export { currentRequest, followRequests, runInRequest } from './request-context.ts';
export {
  got_request_exception,
  request_finished,
  request_started,
  type RequestException,
  type RequestFinished,
  type RequestStarted,
} from './request-signals.ts';
export { Signal, receiver, type ConnectOptions, type Receiver, type SignalEvent, type SignalResult } from './signal.ts';
export {
  after_fork,
  before_fork,
  worker_started,
  worker_stopping,
  type ForkEvent,
  type WorkerEvent,
} from './worker-signals.ts';

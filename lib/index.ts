// The public surface of postfork.

export * from './app/index.ts';
export { RequestError, type CloseOptions, type Limits, type Logger, type RequestErrorCode } from './server/index.ts';
export { serve, type ServeOptions, type Serving } from './serve.ts';
export { signals } from './public-signals.ts';
export {
  receiver,
  Signal,
  type ConnectOptions,
  type Receiver,
  type SignalEvent,
  type SignalResult,
} from './signals/index.ts';

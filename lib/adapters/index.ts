// adapters/: run what others wrote. Node listeners and web-standard handlers as handlers of an Application.

export { adapt } from './adapt.ts';
export {
  fromFetch,
  type FetchContext,
  type FetchHandler,
  type FetchObject,
  type FetchOptions,
  type ServedRequest,
} from './fetch/index.ts';
export {
  alreadyListens,
  fromNode,
  fromServer,
  type NodeListener,
  notRunning,
  type RequestServer,
  takeOverListen,
  type TakenOver,
} from './node/index.ts';

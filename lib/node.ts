// What users import as `postfork/node`: what others wrote, served by FastCGI.

export {
  adapt,
  fromFetch,
  /** The same, by the name that says where the request goes. */
  fromFetch as toFetch,
  fromNode,
  type FetchContext,
  type FetchHandler,
  type FetchObject,
  type FetchOptions,
  type NodeListener,
  type ServedRequest,
} from './adapters/index.ts';
export { createServer, NodeServer, type NodeServerOptions } from './node-server.ts';

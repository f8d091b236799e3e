// What users import as `postfork/node`: Node's own applications, served by FastCGI.

export { adapt, fromFetch, fromNode, type FetchHandler, type NodeListener } from './adapters/index.ts';
export { createServer, NodeServer, type NodeServerOptions } from './node-server.ts';

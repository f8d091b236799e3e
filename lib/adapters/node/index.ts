// node/: what was written for http.createServer.

export { fromNode, type NodeListener } from './from-node.ts';
export { fromServer, type RequestServer } from './from-server.ts';
export { alreadyListens, notRunning } from './node-errors.ts';
export { takeOverListen, type TakenOver } from './take-over-listen.ts';

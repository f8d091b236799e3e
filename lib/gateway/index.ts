// gateway/: a small HTTP/1.1 front end over client/, for development without a web server.

export { accessLine, type Access } from './access.ts';
export { Gateway, type Listening, type Place } from './gateway.ts';
export { type GatewayOptions } from './options.ts';
export { Problem } from './problem.ts';

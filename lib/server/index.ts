// server/: the responder's side of FastCGI. Connections, requests, responses; bounds, deadlines, draining.

export type { Handler, InputStream, Request, Response } from './exchange.ts';
export { inheritedListener, listenerText, parseListener, type Listener } from './listener.ts';
export { openListeningSocket, type ListeningSocket } from './listening-socket.ts';
export { listen, type Listening, type ListenOptions } from './listen.ts';
export { DEFAULTS, type Limits, type Logger, type ServerOptions } from './options.ts';
export { RequestError, type RequestErrorCode } from './request-error.ts';
export { Server, type CloseOptions } from './server.ts';

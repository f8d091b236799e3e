// client/: the web server's side of FastCGI. What users import as `postfork/client`.

export { formatAddress, parseAddress, type Address } from './address.ts';
export { Client } from './client.ts';
export { ClientError, type ClientErrorCode } from './client-error.ts';
export { type ClientOptions, type Limits as ClientLimits, type OnRecord } from './options.ts';
export { type ClientRequest, type RequestBody } from './request.ts';
export { type ClientResponse } from './response.ts';
export { AUTHORIZER, FILTER, RESPONDER, type EndRequestBody } from '../protocol/index.ts';

// adapters/fetch/: web-standard handlers, (Request) => Response, as handlers of an Application.

export type { FetchContext } from './fetch-context.ts';
export { fromFetch, type FetchHandler, type FetchObject, type FetchOptions } from './from-fetch.ts';
export type { ServedRequest } from './served-request.ts';

// The request that code runs for, wherever it is called from. It costs nothing until somebody wants to know.

import { AsyncLocalStorage } from 'node:async_hooks';

let storage: AsyncLocalStorage<object> | undefined;

/** From now on `currentRequest` knows the requests that begin. Idempotent. */
export function followRequests(): void {
  storage ??= new AsyncLocalStorage();
}

/** The HttpRequest that the caller runs for; undefined outside of requests, and where nobody follows them. */
export function currentRequest(): object | undefined {
  return storage?.getStore();
}

/** Call `run` for a request: what it calls, and what comes of that later, runs for it. */
export function runInRequest<T>(request: object, run: () => T): T {
  return storage === undefined ? run() : storage.run(request, run);
}

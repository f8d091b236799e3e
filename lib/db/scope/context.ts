// The context of a call, wherever it is made from.

import { AsyncLocalStorage } from 'node:async_hooks';
import { currentRequest } from '../../signals/index.ts';
import { InterfaceError } from '../errors/index.ts';
import { Scope, type ScopeOwner } from './scope.ts';
import type { Transaction } from './transaction.ts';

/** For which request a call is made, in which scope, and in which transaction of each database. */
export interface Context {
  readonly request: object | undefined;
  readonly scope: Scope;
  readonly transactions: ReadonlyMap<string, Transaction>;
}

const NO_TRANSACTIONS: ReadonlyMap<string, Transaction> = new Map();
const storage: AsyncLocalStorage<Context> = new AsyncLocalStorage();
const scopes: WeakMap<object, Scope> = new WeakMap(); // of requests
const ENDED: Scope = new Scope({});
void ENDED.end();

/** Where the caller is. Throws InterfaceError NO_SCOPE where that is nowhere. */
export function currentContext(): Context {
  const request = currentRequest();
  const context = storage.getStore();
  // A request that is begun within a scope, as tests do, has its own.
  if (context !== undefined && context.request === request) return context;
  if (request !== undefined) return { request, scope: scopeOfRequest(request), transactions: NO_TRANSACTIONS };
  throw new InterfaceError(
    'there is no request here that a database connection could belong to. Outside of requests say how long it is to live: ' +
      'connections.scope(async () => { ... }). In requests: call configureDatabases() where the application is made, ' +
      'of the same copy of postfork (npm ls postfork)',
    { code: 'NO_SCOPE' },
  );
}

/** Run in a scope of its own. */
export function runInScope<T>(scope: Scope, fn: () => T): T {
  return storage.run({ request: currentRequest(), scope, transactions: NO_TRANSACTIONS }, fn);
}

/** Run inside of a transaction of a database. */
export function runInTransaction<T>(alias: string, transaction: Transaction, fn: () => T): T {
  const context = currentContext();
  return storage.run({ ...context, transactions: new Map(context.transactions).set(alias, transaction) }, fn);
}

/** The scope that a request has by now. */
export function existingScope(request: object): Scope | undefined {
  return scopes.get(request);
}

/** The request is over: nothing more can be asked for in its name. Gives the scope that it had. */
export function endScopeOfRequest(request: object): Scope | undefined {
  const scope = scopes.get(request);
  if (scope === undefined) scopes.set(request, ENDED);
  return scope;
}

function scopeOfRequest(request: object): Scope {
  let scope = scopes.get(request);
  if (scope === undefined) {
    scope = new Scope(request as ScopeOwner, request);
    scopes.set(request, scope);
  }
  return scope;
}

// Makes LightRequest a Request to everybody: to `instanceof`, to who asks it for the rest, to `new Request` and fetch().

import { LightRequest } from './light-request.ts';

type Member = (...args: unknown[]) => unknown;

let done = false;

/**
 * Once in a process, when the first handler is adapted. Up to Node 22 the platform keeps what it needs under symbols, which are
 * answered from the real one. From Node 24 on it keeps it in private fields, which nothing else can have: there
 * `globalThis.Request` and `globalThis.fetch` are replaced by themselves with light requests made real before.
 */
export function completeLightRequest(): void {
  if (done) return;
  done = true;
  const { prototype } = LightRequest;
  const sample = new Request('http://localhost/');
  Reflect.deleteProperty(prototype, 'constructor'); // it is Request, too
  for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(Request.prototype))) {
    if (name in prototype || name === 'constructor') continue;
    if (typeof member.value === 'function') forwardMethod(prototype, name);
    else forwardProperty(prototype, name);
  }
  for (const name of Object.getOwnPropertySymbols(sample)) forwardProperty(prototype, name);
  Object.setPrototypeOf(prototype, Request.prototype);
  if (!isAccepted(sample)) replaceGlobals();
}

type Members = Record<string | symbol, unknown>;

/** Have a property answered by the platform's Request. */
function forwardProperty(prototype: object, name: string | symbol): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: unknown): unknown {
      return membersOf(this)[name];
    },
  });
}

function forwardMethod(prototype: object, name: string): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    writable: true,
    value(this: unknown, ...args: unknown[]): unknown {
      const platform = membersOf(this);
      return (platform[name] as Member).apply(platform, args);
    },
  });
}

function membersOf(light: unknown): Members {
  return LightRequest.platformOf(light as LightRequest) as unknown as Members;
}

/** Whether an object is a Request to the platform by its symbols. */
function isAccepted(sample: Request): boolean {
  const probe = Object.create(Request.prototype) as Request;
  for (const name of Object.getOwnPropertySymbols(sample)) {
    Object.defineProperty(probe, name, { value: (sample as unknown as Members)[name] });
  }
  try {
    return new Request(probe).url === sample.url;
  } catch {
    return false;
  }
}

function replaceGlobals(): void {
  const request = new Proxy(Request, {
    construct: (target, [input, ...rest]: unknown[], newTarget) =>
      Reflect.construct(target, [LightRequest.unwrap(input), ...rest], newTarget) as object,
  });
  const platformFetch = fetch;
  const replaced = {
    Request: request,
    fetch: (...[input, init]: Parameters<typeof fetch>) =>
      platformFetch(LightRequest.unwrap(input) as Parameters<typeof fetch>[0], init),
  };
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true });
  }
}

// What web-standard handlers are given, and how they may look.

import { Application } from '../../../lib/app/index.ts';
import {
  type FetchContext,
  fromFetch,
  type FetchHandler,
  type ServedRequest,
} from '../../../lib/adapters/fetch/index.ts';
import { got_request_exception, request_finished } from '../../../lib/signals/index.ts';

const serving = (handler: FetchHandler, options = {}): Application =>
  new Application().fallback(fromFetch(handler, options));

describe('what is a handler', () => {
  test('a function, sync or async', async () => {
    expect((await serving(() => new Response('sync')).inject('/')).text()).toBe('sync');
    expect((await serving(() => Promise.resolve(new Response('async'))).inject('/')).text()).toBe('async');
  });

  test('an object with fetch, which is called as its method, as it is then', async () => {
    class Greeter {
      readonly #word = 'hello';
      fetch(request: Request): Response {
        return new Response(`${this.#word} ${new URL(request.url).pathname}`);
      }
    }
    const greeter = new Greeter();
    const application = new Application().fallback(fromFetch(greeter));
    expect((await application.inject('/you')).text()).toBe('hello /you');
    Object.assign(greeter, { fetch: () => new Response('replaced') });
    expect((await application.inject('/you')).text()).toBe('replaced');
  });

  test('a function that has a fetch is served by that', async () => {
    const handler = Object.assign(() => new Response('the function'), { fetch: () => new Response('its fetch') });
    expect((await serving(handler).inject('/')).text()).toBe('its fetch');
  });

  test('an object that finds a function under every name', async () => {
    const router: object = new Proxy(
      { fetch: (request: Request) => new Response(request.method) },
      { get: (target, name, self: object) => (name === 'fetch' ? target.fetch : () => self) },
    );
    const application = new Application().fallback(fromFetch(router as { fetch: FetchHandler }));
    expect((await application.inject({ method: 'PUT' })).text()).toBe('PUT');
  });

  test('one that is typed as frameworks type theirs', async () => {
    interface ExecutionContext {
      waitUntil(promise: Promise<unknown>): void;
      passThroughOnException(): void;
      props: object;
    }
    const hono = {
      fetch: (_request: Request, _env?: { KEY: string } | object, context?: ExecutionContext): Promise<Response> =>
        Promise.resolve(new Response(typeof context?.waitUntil)),
    };
    const h3 = { fetch: (request: ServedRequest): Response => new Response(typeof request.waitUntil) };
    const itty = { fetch: (request: Request, ...args: unknown[]) => Response.json([request.method, args.length]) };
    const answers = [fromFetch(hono), fromFetch(hono.fetch), fromFetch(h3), fromFetch(itty)].map(async (handler) =>
      (await new Application().fallback(handler).inject('/')).text(),
    );
    expect(await Promise.all(answers)).toEqual(['function', 'function', 'function', '["GET",2]']);
  });

  test.each([undefined, null, 'text', 7, {}, { fetch: 'text' }, []])('not %p', (handler) => {
    expect(() => fromFetch(handler as unknown as FetchHandler)).toThrow(TypeError);
  });
});

describe('env and context', () => {
  test('env is the option, without one process.env', async () => {
    const seen: unknown[] = [];
    const handler = (_request: Request, env: unknown): Response => {
      seen.push(env);
      return new Response();
    };
    const env = { KEY: 'value' };
    await serving(handler, { env }).inject('/');
    await serving(handler).inject('/');
    expect(seen[0]).toBe(env);
    expect(seen[1]).toBe(process.env);
  });

  test('context.request is what middleware saw', async () => {
    const handler = (_request: Request, _env: never, context: FetchContext): Response => {
      context.passThroughOnException();
      return Response.json([context.request.state['user'], context.request.path, context.props]);
    };
    const application = new Application()
      .use((request, next) => {
        request.state['user'] = 'ada';
        return next(request);
      })
      .fallback(fromFetch(handler));
    expect((await application.inject('/x')).json()).toEqual(['ada', '/x', {}]);
  });

  test.each([true, false])('the request has it, and more, for who is given nothing else (light: %p)', async (light) => {
    const application = serving(
      (request: ServedRequest) =>
        Response.json([request.ip, request.runtime.name, request.runtime.postfork.request.path]),
      { light },
    );
    expect((await application.inject('/x')).json()).toEqual(['127.0.0.1', 'postfork', '/x']);
  });

  describe.each<
    [name: string, waitUntil: (request: ServedRequest, context: FetchContext, work: Promise<unknown>) => void]
  >([
    ['context.waitUntil', (_request, context, work) => context.waitUntil(work)],
    ['request.waitUntil', (request, _context, work) => request.waitUntil(work)],
  ])('%s', (_name, waitUntil) => {
    test.each([true, false])('is waited for by request_finished, not by the answer (light: %p)', async (light) => {
      const events: string[] = [];
      let release = (): void => {};
      const work = new Promise<void>((resolve) => (release = resolve)).then(() => events.push('work'));
      const application = serving(
        (request, _env, context) => {
          waitUntil(request, context, work);
          return new Response('ok');
        },
        { light },
      );
      const onFinished = (): void => void events.push('finished');
      request_finished.connect(onFinished, { sender: application });
      const answered = application.inject('/');
      await new Promise(setImmediate);
      expect([events, application.active]).toEqual([[], 1]);
      release();
      expect((await answered).text()).toBe('ok');
      expect(events).toEqual(['work', 'finished']);
      request_finished.disconnect(onFinished, { sender: application });
    });

    test('that rejects is told to got_request_exception', async () => {
      const errors: unknown[] = [];
      const application = serving((request, _env, context) => {
        waitUntil(request, context, Promise.reject(new Error('work')));
        return new Response('ok');
      });
      const onException = ({ error }: { error: unknown }): void => void errors.push(error);
      got_request_exception.connect(onException, { sender: application });
      expect((await application.inject('/')).status).toBe(200);
      expect(errors).toEqual([new Error('work')]);
      got_request_exception.disconnect(onException, { sender: application });
    });
  });
});

describe('requests that no handler is asked about', () => {
  let calls = 0;
  const application = serving(() => {
    calls += 1;
    return new Response();
  });

  test.each(['a b', 'a/b', 'x@y', 'a?b', '[::1', 'host:99999', '%zz'])('400 for the host %p', async (host) => {
    for (const _again of [1, 2]) expect((await application.inject({ headers: { host } })).status).toBe(400);
    expect(calls).toBe(0);
  });

  test.each(['TRACE', 'CONNECT', 'TRACK', 'trace'])('501 for %s', async (method) => {
    expect((await application.inject({ method })).status).toBe(501);
    expect(calls).toBe(0);
  });

  test('400 for a method that is none', async () => {
    expect((await application.inject({ method: 'A B' })).status).toBe(400);
    expect(calls).toBe(0);
  });
});

describe('where it stands', () => {
  const handler = fromFetch((request: Request) => new Response(request.url));

  test('in a route and in a layer', async () => {
    const application = new Application().get('/a/*', handler).use((request, next) => {
      return request.path === '/b' ? handler(request) : next(request);
    });
    expect((await application.inject('/a/x?y=z')).text()).toBe('http://localhost/a/x?y=z');
    expect((await application.inject('/b')).text()).toBe('http://localhost/b');
    expect((await application.inject('/c')).status).toBe(404);
  });

  test('below a mount the URL begins there', async () => {
    const application = new Application().mount('/sub', new Application().fallback(handler));
    expect((await application.inject('/sub/x?y=/sub/z')).text()).toBe('http://localhost/x?y=/sub/z');
    expect((await application.inject('/sub')).text()).toBe('http://localhost/');
    expect((await new Application({ mount: '/app' }).fallback(handler).inject('/app/x')).text()).toBe(
      'http://localhost/x',
    );
  });

  test('in an override of the method the request has the new one', async () => {
    const application = new Application()
      .use((request, next) => {
        request.method = 'DELETE';
        return next(request);
      })
      .fallback(fromFetch((request: Request) => new Response(request.method)));
    expect((await application.inject({ method: 'POST' })).text()).toBe('DELETE');
  });
});

test('of many hosts each is itself', async () => {
  const application = serving((request) => new Response(new URL(request.url).host));
  for (let at = 0; at < 250; at++) {
    const host = `host-${at}.example`;
    expect((await application.inject({ headers: { host } })).text()).toBe(host);
  }
});

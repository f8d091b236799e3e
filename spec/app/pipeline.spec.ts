// The onion: in which order layers run, and what each of them sees.

import { Application, HttpError, HttpResponse, type HttpRequest, type Middleware } from '../../lib/app/index.ts';
import { got_request_exception } from '../../lib/signals/index.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An application, and what happens in it. */
function onion(): {
  application: Application;
  calls: string[];
  exceptions: unknown[];
  layer: (name: string) => Middleware;
} {
  const application = new Application();
  const calls: string[] = [];
  const exceptions: unknown[] = [];
  const hear = ({ error }: { error: unknown }): unknown => exceptions.push(error);
  got_request_exception.connect(hear, { sender: application });
  disconnects.push(() => got_request_exception.disconnect(hear, { sender: application }));
  const layer =
    (name: string): Middleware =>
    async (request, next) => {
      calls.push(`${name} in`);
      const response = await next(request);
      calls.push(`${name} out ${response.status}`);
      return response;
    };
  return { application, calls, exceptions, layer };
}

const disconnects: (() => unknown)[] = [];

afterEach(() => {
  for (const disconnect of disconnects.splice(0)) disconnect();
});

const boom = (): never => {
  throw new Error('boom');
};

test('layers run in the order of use, and back', async () => {
  const { application, calls, layer } = onion();
  application.use(layer('first')).use(layer('second'));
  application.get('/', () => {
    calls.push('handler');
    return 'ok';
  });
  await application.inject('/');
  expect(calls).toEqual(['first in', 'second in', 'handler', 'second out 200', 'first out 200']);
});

test('a layer added later is inside of those that are there, also after requests', async () => {
  const { application, calls, layer } = onion();
  application.use(layer('first')).get('/', () => 'ok');
  await application.inject('/');
  application.use(layer('second'));
  await application.inject('/');
  expect(calls.slice(2)).toEqual(['first in', 'second in', 'second out 200', 'first out 200']);
});

test('a layer may be put outside of those that are there, also after requests', async () => {
  const { application, calls, layer } = onion();
  application.use(layer('first')).get('/', () => 'ok');
  await application.inject('/');
  application.wrap(layer('around'));
  await application.inject('/');
  expect(calls.slice(2)).toEqual(['around in', 'first in', 'first out 200', 'around out 200']);
  expect(() => application.wrap('layer' as unknown as Middleware)).toThrow(TypeError);
});

test('a layer may answer by itself: nothing inside of it runs', async () => {
  const { application, calls, layer } = onion();
  application
    .use(layer('outside'))
    .use(() => 'short')
    .use(layer('inside'));
  application.get('/', boom);
  expect((await application.inject('/')).text()).toBe('short');
  expect(calls).toEqual(['outside in', 'outside out 200']);
});

test('a layer may change the response', async () => {
  const { application } = onion();
  application.use(async (request, next) => {
    const response = await next(request);
    response.headers.set('X-Layer', 'yes');
    response.status = 201;
    return response;
  });
  application.get('/', () => 'ok');
  const response = await application.inject('/');
  expect([response.status, response.header('x-layer'), response.text()]).toEqual([201, 'yes', 'ok']);
});

test('a layer may change the request for those inside', async () => {
  const { application } = onion();
  application.use((request, next) => {
    request.state['user'] = 'anna';
    return next(request);
  });
  application.get('/', (request) => `hello ${String(request.state['user'])}`);
  expect((await application.inject('/')).text()).toBe('hello anna');
});

test('a layer may be plain, and may return what next returns without waiting for it', async () => {
  const { application, calls, layer } = onion();
  application
    .use((request, next) => next(request))
    .use(layer('async'))
    .use((request, next) => next(request));
  application.get('/', () => turn().then(() => 'ok'));
  expect((await application.inject('/')).text()).toBe('ok');
  expect(calls).toEqual(['async in', 'async out 200']);
});

test('layers see responses of type HttpResponse, whatever was returned inside', async () => {
  const { application } = onion();
  const seen: unknown[] = [];
  application.use(async (request, next) => {
    const response = await next(request);
    seen.push(response instanceof HttpResponse, response.status, response.headers.get('Content-Type'));
    return response;
  });
  application.use(async (request, next) => {
    await next(request);
    return new Response('web', { status: 202 });
  });
  application.get('/', () => ({ json: true }));
  await application.inject('/');
  expect(seen).toEqual([true, 202, 'text/plain;charset=UTF-8']);
});

describe('errors', () => {
  const PLACES: [place: string, set: (application: Application, work: () => never | Promise<never>) => void][] = [
    ['a handler', (application, work) => application.get('/', work)],
    [
      'a layer before next',
      (application, work) =>
        application
          .use(async (request, next) => {
            await work();
            return next(request);
          })
          .get('/', () => 'ok'),
    ],
    [
      'a layer after next',
      (application, work) =>
        application
          .use(async (request, next) => {
            await next(request);
            return work();
          })
          .get('/', () => 'ok'),
    ],
    ['a plain layer', (application, work) => application.use(() => work()).get('/', () => 'ok')],
    [
      'a sub-application',
      (application, work) => application.mount('/sub', new Application().get('/', work)).get('/', () => 'ok'),
    ],
  ];
  const target = (place: string): string => (place === 'a sub-application' ? '/sub' : '/');

  test.each(PLACES)('of %s: the layers around it see a response, and the signal is sent once', async (place, set) => {
    for (const work of [boom, () => turn().then(boom)]) {
      const { application, calls, exceptions, layer } = onion();
      application.use(layer('first')).use(layer('second'));
      set(application, work);
      const response = await application.inject(target(place));
      expect([response.status, response.text()]).toEqual([500, '500 Internal Server Error\n']);
      expect(calls).toEqual(['first in', 'second in', 'second out 500', 'first out 500']);
      expect(exceptions).toEqual([new Error('boom')]);
      expect(response.stderr).toContain(`GET ${target(place)}: boom`);
    }
  });

  test.each(PLACES)('of %s that are meant as answers are no exceptions', async (place, set) => {
    const { application, calls, exceptions, layer } = onion();
    application.use(layer('around'));
    set(application, () => {
      throw new HttpError(402, 'pay first', { headers: { 'X-Price': '1' } });
    });
    const response = await application.inject(target(place));
    expect([response.status, response.text(), response.header('X-Price')]).toEqual([402, '402 pay first\n', '1']);
    expect(calls).toEqual(['around in', 'around out 402']);
    expect(exceptions).toEqual([]);
    expect(response.stderr).toBe('');
  });

  test('leave their error on the response, for layers that log or show it', async () => {
    const { application } = onion();
    const seen: unknown[] = [];
    application.use(async (request, next) => {
      const response = await next(request);
      seen.push(response.error, response.unexpected);
      return response;
    });
    application.get('/', boom).get('/gone', () => Promise.reject(new HttpError(410)));
    await application.inject('/');
    await application.inject('/gone');
    expect(seen).toEqual([new Error('boom'), true, new HttpError(410), false]);
  });

  test('of two layers are two exceptions', async () => {
    const { application, exceptions } = onion();
    application.use(async (request, next) => {
      await next(request);
      throw new Error('layer');
    });
    application.get('/', boom);
    expect((await application.inject('/')).status).toBe(500);
    expect(exceptions).toEqual([new Error('boom'), new Error('layer')]);
  });

  test('can be answered by a layer with something else', async () => {
    const { application, exceptions } = onion();
    application.use(async (request, next) => {
      const response = await next(request);
      return response.status === 500 ? HttpResponse.html('<h1>Sorry</h1>', { status: 503 }) : response;
    });
    application.get('/', boom);
    const response = await application.inject('/');
    expect([response.status, response.text()]).toEqual([503, '<h1>Sorry</h1>']);
    expect(exceptions).toHaveLength(1);
  });

  test.each([
    ['text', 'text'],
    ['nothing', undefined],
    ['null', null],
    ['an object without text', Object.create(null) as unknown],
    ['an object whose text fails', { toString: boom }],
    ['an error whose message is none', Object.assign(new Error(), { message: Symbol('x') })],
  ])('may be %s', async (_what, thrown) => {
    const { application, exceptions } = onion();
    application.get('/', () => {
      throw thrown;
    });
    const response = await application.inject('/');
    expect([response.status, exceptions]).toEqual([500, [thrown]]);
    expect(response.stderr).not.toBe('');
  });

  test('keep what they say from the client, unless they were made to be shown', async () => {
    const { application } = onion();
    application.get('/', () => {
      throw Object.assign(new Error('password is hunter2'), { status: 404 });
    });
    const response = await application.inject('/');
    expect(response.body.toString()).toBe('500 Internal Server Error\n');
    expect(response.headers.flat().join()).not.toContain('hunter2');
  });
});

describe('what is no answer is an error that says who and what to do', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 42],
    ['true', true],
    ['a function', () => 'ok'],
    ['a symbol', Symbol('x')],
    ['undefined, later', Promise.resolve(undefined)],
  ])('from a handler: %s', async (_what, answer) => {
    const { application, exceptions } = onion();
    application.get('/', () => answer as unknown as string);
    expect((await application.inject('/')).status).toBe(500);
    expect(exceptions).toEqual([expect.any(TypeError)]);
    expect(String(exceptions[0])).toMatch(/a handler returned .*: return an HttpResponse, a string or an object/);
  });

  test('from a middleware that forgot its return', async () => {
    const { application, exceptions } = onion();
    application.use(function forgetful(request, next) {
      void next(request);
      return undefined as unknown as string;
    });
    application.get('/', () => 'ok');
    const response = await application.inject('/');
    expect(response.status).toBe(500);
    expect(String(exceptions[0])).toBe(
      'TypeError: the middleware forgetful returned undefined: return what next(request) returns, or an answer of its own',
    );
    expect(response.stderr).toContain('forgetful');
  });

  test('from a middleware that gives next nothing', async () => {
    const { application, exceptions } = onion();
    application.use((_request, next) => next(undefined as unknown as HttpRequest)).get('/', () => 'ok');
    expect((await application.inject('/')).status).toBe(500);
    expect(exceptions.map(String)).toEqual(['TypeError: next() was called without the request: call next(request)']);
  });

  test('an Error that is returned is thrown', async () => {
    const { application, exceptions } = onion();
    application.get('/', () => new HttpError(404, 'no such page')).get('/boom', () => new Error('boom'));
    expect((await application.inject('/')).text()).toBe('404 no such page\n');
    expect((await application.inject('/boom')).status).toBe(500);
    expect(exceptions).toEqual([new Error('boom')]);
  });
});

test('use refuses what is not a function', () => {
  expect(() => new Application().use({} as Middleware)).toThrow(/a middleware is a function \(request, next\)/);
});

describe('an aborted request', () => {
  test('is no exception where the handler fails of it', async () => {
    const { application, exceptions } = onion();
    const abort = new AbortController();
    application.get('/', async (request) => {
      const aborted = new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      abort.abort(new Error('gone'));
      await aborted;
      throw new DOMException('This operation was aborted', 'AbortError'); // as fetch, timers and streams do
    });
    await expect(application.inject({ signal: abort.signal })).rejects.toThrow('no answer');
    expect(exceptions).toEqual([]);
  });

  test('is an exception where the handler fails of something else', async () => {
    const { application, exceptions } = onion();
    const abort = new AbortController();
    application.get('/', () => {
      abort.abort(new Error('gone'));
      return boom();
    });
    await expect(application.inject({ signal: abort.signal })).rejects.toThrow('no answer');
    expect(exceptions).toEqual([new Error('boom')]);
  });
});

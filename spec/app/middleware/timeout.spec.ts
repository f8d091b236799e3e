// timeout(): 504 where no answer came in time.

import { setImmediate } from 'node:timers/promises';

import { Application, HttpResponse, timeout, type HttpRequest } from '../../../lib/app/index.ts';
import { got_request_exception, request_finished } from '../../../lib/signals/index.ts';

/** A promise and the way to settle it. */
function gate<T>(): { promise: Promise<T>; open: (value: T) => void; fail: (error: Error) => void } {
  let open: (value: T) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => ([open, fail] = [resolve, reject]));
  return { promise, open, fail };
}

test('an answer in time is that answer, and no timer is left', async () => {
  const app = new Application()
    .use(timeout(60_000))
    .get('/', () => 'at once')
    .get('/async', async () => Promise.resolve('soon'));
  const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  expect((await app.inject('/')).text()).toBe('at once');
  expect((await app.inject('/async')).text()).toBe('soon');
  expect(timers()).toBe(before);
});

test('an error in time is that error', async () => {
  const app = new Application().use(timeout(60_000)).get('/', () => Promise.reject(new Error('boom')));
  expect((await app.inject('/')).status).toBe(500);
});

test('without an answer it is 504, the handler is told, and the request is finished', async () => {
  const finished: unknown[] = [];
  const receiver = ({ request }: { request: unknown }): unknown => finished.push(request);
  request_finished.connect(receiver);
  let seen: HttpRequest | undefined;
  const aborted = gate<unknown>();
  const app = new Application().use(timeout(10)).get('/', (request) => {
    seen = request;
    request.signal.addEventListener('abort', () => aborted.open(request.signal.reason));
    return new Promise<string>(() => {});
  });
  const response = await app.inject('/');
  request_finished.disconnect(receiver);
  expect([response.status, response.text()]).toEqual([504, '504 no answer within 10 ms\n']);
  expect(await aborted.promise).toMatchObject({ name: 'HttpError', status: 504 });
  expect(finished).toEqual([seen]);
  expect([seen?.cancelled, seen?.aborted, app.active]).toEqual([true, false, 0]);
});

test('a signal that is asked for late has aborted', async () => {
  const waiting = gate<string>();
  const seen = gate<boolean>();
  const app = new Application().use(timeout(10)).get('/', async (request) => {
    await waiting.promise;
    seen.open(request.signal.aborted);
    return 'late';
  });
  expect((await app.inject('/')).status).toBe(504);
  waiting.open('');
  expect(await seen.promise).toBe(true);
});

test('a late answer is dropped, and what its stream holds is freed', async () => {
  const waiting = gate<string>();
  const freed = gate<string>();
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false as const, value: 'x' }),
      return: () => {
        freed.open('freed');
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  const app = new Application().use(timeout(10)).get('/', async () => {
    await waiting.promise;
    return HttpResponse.stream(body);
  });
  expect((await app.inject('/')).status).toBe(504);
  waiting.open('');
  expect(await freed.promise).toBe('freed');
});

test('a late error is told, and is no unhandled rejection', async () => {
  const told = gate<unknown>();
  const receiver = ({ error }: { error: unknown }): void => told.open(error);
  got_request_exception.connect(receiver);
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  const waiting = gate<string>();
  const app = new Application().use(timeout(10)).get('/', () => waiting.promise);
  expect((await app.inject('/')).status).toBe(504);
  waiting.fail(new Error('late'));
  expect(await told.promise).toEqual(new Error('late'));
  await setImmediate();
  got_request_exception.disconnect(receiver);
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test('a handler that ends because it was told is no exception', async () => {
  const told = jest.fn();
  got_request_exception.connect(told);
  const ended = gate<string>();
  const app = new Application().use(timeout(10)).get('/', async (request) => {
    try {
      return await new Promise<string>((_resolve, reject) => {
        const fail = (): void => reject(Object.assign(new Error('aborted'), { name: 'AbortError' }));
        request.signal.addEventListener('abort', fail);
      });
    } finally {
      ended.open('');
    }
  });
  expect((await app.inject('/')).status).toBe(504);
  await ended.promise;
  await setImmediate();
  got_request_exception.disconnect(told);
  expect(told).not.toHaveBeenCalled();
});

test('layers outside see the 504', async () => {
  const statuses: number[] = [];
  const app = new Application()
    .use(async (request, next) => {
      const response = await next(request);
      statuses.push(response.status);
      return response;
    })
    .use(timeout(10))
    .get('/', () => new Promise<string>(() => {}));
  await app.inject('/');
  expect(statuses).toEqual([504]);
});

test('a body that streams may take longer', async () => {
  const app = new Application().use(timeout(10)).get('/', () =>
    HttpResponse.stream(
      (async function* () {
        yield 'a';
        await new Promise((resolve) => setTimeout(resolve, 30)); // longer than the time
        yield 'b';
      })(),
    ),
  );
  const response = await app.inject('/');
  expect([response.status, response.text(), response.cut]).toEqual([200, 'ab', false]);
});

test.each([0, -1, NaN, 2 ** 31, Infinity])('%p is no time', (ms) => {
  expect(() => timeout(ms)).toThrow(RangeError);
});

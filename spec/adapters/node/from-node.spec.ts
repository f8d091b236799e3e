// fromNode(): a Node listener within an Application, with its signals, errors, context and layers.

import { AsyncLocalStorage } from 'node:async_hooks';
import { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { fromNode, type NodeListener } from '../../../lib/adapters/node/index.ts';
import { Application, HttpResponse, type InjectedRequest, type Middleware } from '../../../lib/app/index.ts';
import { got_request_exception, request_finished } from '../../../lib/signals/index.ts';
import { collectGarbage } from '../../support/garbage.ts';

const application = (listener: NodeListener): Application => new Application().fallback(fromNode(listener));

/** A web server that takes its time for every piece. */
const slowly: Middleware = async (request, next) => {
  const response = await next(request);
  const body = response.body as AsyncIterable<Uint8Array>;
  response.body = (async function* () {
    for await (const piece of body) {
      await turn();
      yield piece;
    }
  })();
  return response;
};

/** The errors that got_request_exception has told of, and how often request_finished was sent. */
async function told(app: Application, request: InjectedRequest = {}) {
  const errors: unknown[] = [];
  let finished = 0;
  const onError = ({ error }: { error: unknown }): void => void errors.push(error);
  const onFinished = (): void => void (finished += 1);
  got_request_exception.connect(onError, { sender: app });
  request_finished.connect(onFinished, { sender: app });
  const answer = await app.inject(request).catch(() => undefined);
  await turn();
  got_request_exception.disconnect(onError, { sender: app });
  request_finished.disconnect(onFinished, { sender: app });
  return { answer, errors, finished };
}

describe('errors', () => {
  const error = new Error('it went wrong');

  test.each<[string, NodeListener]>([
    [
      'a listener that throws',
      () => {
        throw error;
      },
    ],
    [
      'an async listener that rejects',
      async () => {
        await turn();
        throw error;
      },
    ],
  ])('%s before its head is answered by 500', async (_title, listener) => {
    const { answer, errors, finished } = await told(application(listener));
    expect(answer).toMatchObject({ status: 500, cut: false });
    expect(answer?.stderr).toContain('it went wrong');
    expect(errors).toEqual([error]);
    expect(finished).toBe(1);
  });

  test('nothing has been sent in the turn in which the head was written, so an error is a 500 yet', async () => {
    const app = application((_request, response) => {
      response.write('part');
      throw error;
    });
    expect(await app.inject('/')).toMatchObject({ status: 500, cut: false });
  });

  test('a layer around sees the error', async () => {
    const app = application(() => {
      throw error;
    });
    let seen: unknown;
    app.use(async (request, next) => {
      const response = await next(request);
      seen = response.error;
      return response;
    });
    await app.inject('/');
    expect(seen).toBe(error);
  });

  test.each<[string, NodeListener]>([
    [
      'an async listener that rejects',
      async (_request, response) => {
        response.write('part');
        await turn();
        throw error;
      },
    ],
    [
      'one that rejects with no Error',
      async (_request, response) => {
        response.write('part');
        await turn();
        throw 'it went wrong';
      },
    ], // eslint-disable-line no-throw-literal
  ])('%s behind its head cuts the answer', async (_title, listener) => {
    const { answer, errors, finished } = await told(application(listener));
    expect(answer).toMatchObject({ status: 200, cut: true, body: Buffer.from('part') });
    expect(errors).toEqual([expect.objectContaining({ message: 'it went wrong' })]);
    expect(finished).toBe(1);
  });

  test.each<[string, NodeListener]>([
    ['request', (request) => request.destroy(error)],
    ['response', (_request, response) => response.destroy(error)],
    ['socket', (request) => request.socket.destroy(error)],
  ])(
    'a %s that is destroyed before the head is answered by 500, with the reason as cause',
    async (_title, listener) => {
      const { answer, errors } = await told(application(listener));
      expect(answer?.status).toBe(500);
      expect(errors).toEqual([expect.objectContaining({ cause: error })]);
    },
  );

  test('a client that goes away is nobody’s error', async () => {
    const gone = new AbortController();
    const app = application((_request, response) => {
      response.on('close', () => expect(response.writableFinished).toBe(false));
      setImmediate(() => gone.abort(Object.assign(new Error('gone'), { name: 'RequestError', code: 'ABORTED' })));
    });
    expect(await told(app, { signal: gone.signal })).toEqual({ answer: undefined, errors: [], finished: 1 });
  });

  test('a client that had gone before the listener was asked', async () => {
    const signal = AbortSignal.abort(Object.assign(new Error('gone'), { name: 'RequestError', code: 'ABORTED' }));
    const events: string[] = [];
    const app = application((request, response) => {
      request.on('aborted', () => events.push('aborted'));
      response.on('close', () => events.push('close'));
    });
    expect(await told(app, { signal })).toEqual({ answer: undefined, errors: [], finished: 1 });
    await turn();
    expect(events).toEqual(['aborted', 'close']);
  });

  test('an answer shorter than its Content-Length is cut', async () => {
    const answer = await application(async (_request, response) => {
      response.setHeader('Content-Length', 10);
      response.write('a');
      await turn();
      response.end('b');
    }).inject('/');
    expect(answer).toMatchObject({ status: 200, cut: true });
  });

  test('an answer longer than its Content-Length is cut', async () => {
    const answer = await application(async (_request, response) => {
      response.setHeader('Content-Length', 1);
      response.write('a');
      await turn();
      response.end('b');
    }).inject('/');
    expect(answer).toMatchObject({ status: 200, cut: true, body: Buffer.from('a') });
  });

  test('one that is ended, and destroyed before it has been taken, is cut', async () => {
    const app = application(async (_request, response) => {
      response.write('x'.repeat(100_000));
      await turn();
      for (let i = 0; i < 5; i++) response.write('x'.repeat(100_000));
      response.end();
      response.destroy();
    });
    app.use(slowly);
    const answer = await app.inject('/');
    expect(answer).toMatchObject({ status: 200, cut: true });
    expect(answer.body.length).toBeLessThan(600_000);
  });

  test('one that is written in one go has the length that it has', async () => {
    const answer = await application((_request, response) => {
      response.setHeader('Content-Length', 1);
      response.end('abc');
    }).inject('/');
    expect(answer.headers).toEqual([['Content-Length', '3']]);
  });

  test('a body that does not come whole ends the request as an aborted one', async () => {
    const events: string[] = [];
    const body = (async function* () {
      yield Buffer.from('part');
      await turn();
      throw Object.assign(new Error('truncated'), { name: 'RequestError', code: 'BODY_TRUNCATED' });
    })();
    const app = application((request, response) => {
      request.on('data', () => events.push('data'));
      request.on('end', () => events.push('end'));
      request.on('aborted', () => events.push('aborted'));
      request.on('error', (reason) => events.push(reason.message));
      response.on('close', () => events.push('closed'));
    });
    await app.inject({ method: 'POST', body }).catch(() => undefined);
    await turn();
    expect(events).toEqual(['data', 'aborted', 'truncated', 'closed']);
  });

  test('what is no function is refused', () => {
    expect(() => fromNode({} as NodeListener)).toThrow('a listener is a function (request, response)');
  });
});

describe('the request', () => {
  const seen = async (request: InjectedRequest, look: (message: IncomingMessage) => unknown): Promise<unknown> =>
    (
      await application((message, response) => response.end(JSON.stringify(look(message) ?? null))).inject(request)
    ).json();

  test.each<[string, string]>([
    ['/', '/'],
    ['/a%20b/?q=1&q=%C3%A4', '/a%20b/?q=1&q=%C3%A4'],
    ['/a?', '/a?'],
    ['//two/../dots', '//two/../dots'],
    ['/a;b=c?d?e', '/a;b=c?d?e'],
  ])('has the URL as the client sent it: %s', async (target, url) => {
    expect(await seen({ target }, (message) => message.url)).toBe(url);
  });

  test('below a mount has the path from there', async () => {
    const app = new Application();
    app.mount(
      '/legacy',
      fromNode((message, response) => response.end(message.url)),
    );
    expect((await app.inject('/legacy/a?b=c')).text()).toBe('/a?b=c');
    expect((await app.inject('/legacy')).text()).toBe('/');
  });

  test('has the method that a layer has set', async () => {
    const app = application((message, response) => response.end(message.method));
    app.use((request, next) => {
      request.method = 'PUT';
      return next(request);
    });
    expect((await app.inject({ method: 'POST' })).text()).toBe('PUT');
  });

  test('tells of the client as the web server does', async () => {
    const environ = {
      REMOTE_ADDR: '::1',
      REMOTE_PORT: '4000',
      SERVER_ADDR: '10.0.0.1',
      SERVER_PORT: '443',
      HTTPS: 'on',
    };
    expect(
      await seen({ environ }, ({ socket }) => {
        const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = socket;
        const { encrypted } = socket as { encrypted?: boolean };
        return {
          remoteAddress,
          remotePort,
          remoteFamily,
          localAddress,
          localPort,
          localFamily,
          encrypted,
          ...socket.address(),
        };
      }),
    ).toEqual({
      remoteAddress: '::1',
      remotePort: 4000,
      remoteFamily: 'IPv6',
      localAddress: '10.0.0.1',
      localPort: 443,
      localFamily: 'IPv4',
      encrypted: true,
      address: '10.0.0.1',
      port: 443,
      family: 'IPv4',
    });
  });

  test('may have a client without an address', async () => {
    const environ = { REMOTE_ADDR: '' };
    expect(await seen({ environ }, ({ socket }) => [socket.remoteAddress, socket.remoteFamily])).toEqual([null, null]);
  });

  test('has header names in lower case, and no framing of its own', async () => {
    const headers = { 'X-Two-Words': 'a', 'Transfer-Encoding': 'chunked' };
    expect(await seen({ headers }, ({ rawHeaders }) => rawHeaders)).toEqual(['host', 'localhost', 'x-two-words', 'a']);
  });

  test('counts the bytes of both ways at its socket', async () => {
    let socket: IncomingMessage['socket'] | undefined;
    await application((message, response) => {
      socket = message.socket;
      message.on('end', () => response.end('four')).resume();
    }).inject({ method: 'POST', body: 'three' });
    expect(socket?.bytesRead).toBe(5);
    expect(socket?.bytesWritten).toBeGreaterThan(4);
  });

  test('takes what a socket can be told', async () => {
    const answer = await application(({ socket }, response) => {
      socket.setNoDelay(true).setKeepAlive(true, 1000).ref().unref().pause().resume();
      response.end(String(socket.connecting));
    }).inject('/');
    expect(answer.text()).toBe('false');
  });
});

describe('the answer', () => {
  test('has no Content-Type that the listener has not set', async () => {
    const answer = await application((_request, response) => response.end('text')).inject('/');
    expect(answer.headers).toEqual([['Content-Length', '4']]);
  });

  test('may have prototypes replaced, as Express does', async () => {
    const prototypes = {
      request: Object.create(IncomingMessage.prototype, {
        shout: {
          value(this: IncomingMessage) {
            return this.url?.toUpperCase();
          },
        },
      }) as object,
      response: Object.create(ServerResponse.prototype, {
        say: {
          value(this: ServerResponse, text: string) {
            this.end(text);
          },
        },
      }) as object,
    };
    const answer = await application((request, response) => {
      Object.setPrototypeOf(request, prototypes.request);
      Object.setPrototypeOf(response, prototypes.response);
      (response as unknown as { say(text: string): void }).say((request as unknown as { shout(): string }).shout());
    }).inject('/abc');
    expect(answer.text()).toBe('/ABC');
  });

  test('may have methods replaced, as compression does', async () => {
    const answer = await application((_request, response) => {
      const write = response.write.bind(response);
      const end = response.end.bind(response);
      response.write = ((chunk: string) => write(chunk.toUpperCase(), 'utf8')) as typeof write;
      response.end = ((chunk: string) => end(chunk.toUpperCase(), 'utf8')) as typeof end;
      response.write('a');
      response.end('b');
    }).inject('/');
    expect(answer.text()).toBe('AB');
  });

  test('passes through the layers around', async () => {
    const app = application((_request, response) => response.end('inner'));
    app.use(async (request, next) => {
      const response = await next(request);
      response.headers.set('X-Layer', 'outer');
      return response;
    });
    expect((await app.inject('/')).header('x-layer')).toBe('outer');
  });

  test('may be put in place of by a layer, which frees it', async () => {
    const events: string[] = [];
    const app = application(async (_request, response) => {
      response.on('close', () => events.push('close'));
      response.write('first');
      await turn();
      response.write('second');
    });
    app.use(async (request, next) => {
      const inner = await next(request);
      const iterator = (inner.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      await iterator.return?.();
      return HttpResponse.text('instead');
    });
    expect((await app.inject('/')).text()).toBe('instead');
    await turn();
    await turn();
    expect(events).toEqual(['close']);
  });

  test('is sent as fast as it is taken', async () => {
    const pieces = 200;
    let most = 0;
    const app = application(async (_request, response) => {
      for (let i = 0; i < pieces; i++) {
        if (!response.write(Buffer.alloc(16_384, i))) await new Promise((resolve) => response.once('drain', resolve));
        most = Math.max(most, response.writableLength);
      }
      response.end();
    });
    app.use(slowly);
    expect((await app.inject('/')).body.length).toBe(pieces * 16_384);
    expect(most).toBeLessThan(100_000);
  });

  test('an upload is read as fast as the listener takes it', async () => {
    let ahead = 0;
    let most = 0;
    const body = (async function* () {
      for (let i = 0; i < 200; i++) {
        most = Math.max(most, (ahead += 16_384));
        yield Buffer.alloc(16_384);
      }
    })();
    const app = application(async (request, response) => {
      let length = 0;
      for await (const piece of request) {
        await turn();
        length += (piece as Buffer).length;
        ahead -= (piece as Buffer).length;
      }
      response.end(String(length));
    });
    expect((await app.inject({ method: 'PUT', body })).text()).toBe(String(200 * 16_384));
    expect(most).toBeLessThan(200_000);
  });
});

describe('around it', () => {
  test('the context of the request is kept', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const note = (): void => void seen.push(storage.getStore());
    const app = application((request, response) => {
      request.on('data', note);
      request.on('end', () => {
        note();
        setImmediate(() => {
          note();
          response.end('x');
        });
      });
    });
    app.use((request, next) => storage.run('mine', () => next(request)));
    await app.inject({ method: 'POST', body: 'x' });
    expect(seen).toEqual(['mine', 'mine', 'mine']);
  });

  test('request_finished comes once, when the answer has been sent', async () => {
    const { answer, errors, finished } = await told(application((_request, response) => response.end('x')));
    expect(answer?.status).toBe(200);
    expect([errors, finished]).toEqual([[], 1]);
  });

  test('request_finished waits for a body that is read behind the answer', async () => {
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const body = (async function* () {
      yield Buffer.from('first');
      await gate;
      yield Buffer.from('second');
    })();
    let text = '';
    const app = application((request, response) => {
      request.on('data', (piece: Buffer) => (text += piece.toString()));
      response.end('accepted', () => setImmediate(open));
    });
    const { answer, finished } = await told(app, { method: 'POST', body });
    expect(answer?.text()).toBe('accepted');
    expect([text, finished]).toEqual(['firstsecond', 1]);
  });

  test('nothing of a request is kept', async () => {
    const kept: WeakRef<object>[] = [];
    const app = application((request, response) => {
      kept.push(new WeakRef(request), new WeakRef(response), new WeakRef(request.socket));
      response.setTimeout(60_000);
      request.on('end', () => response.end('x')).resume();
    });
    for (let i = 0; i < 20; i++) await app.inject({ method: 'POST', body: 'body' });
    for (let i = 0; i < 5; i++) await collectGarbage();
    expect(kept.filter((one) => one.deref() !== undefined)).toHaveLength(0);
  });
});

describe('a body that has not come when the answer ends', () => {
  /** Its second piece never comes. */
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('first');
    await new Promise(() => {});
  }

  test.each<[string, NodeListener, string[]]>([
    ['is not waited for where nobody reads it', () => {}, ['end', 'close']],
    ['is not waited for where it is thrown away', (request) => request.resume(), ['end', 'close']],
    [
      'ends with an error where it was read in part',
      (request) => request.once('data', () => request.pause()),
      ['aborted', 'close'],
    ],
  ])('%s', async (_title, begin, expected) => {
    const events: string[] = [];
    const app = application((request, response) => {
      for (const event of ['end', 'aborted', 'close']) request.on(event, () => events.push(event));
      begin(request, response);
      setTimeout(() => response.end('early'), 10);
    });
    const answer = await app.inject({ method: 'POST', body: endless() });
    expect(answer.text()).toBe('early');
    for (let i = 0; i < 5; i++) await turn();
    expect(events).toEqual(expected);
  });
});

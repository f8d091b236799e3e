// Application: its signals, roles, and what a Server is given of it.

import { Application, HttpError, HttpResponse, type HttpRequest } from '../../lib/app/index.ts';
import { got_request_exception, request_finished, request_started } from '../../lib/signals/index.ts';

const RESPONDER = 1;
const AUTHORIZER = 2;
const FILTER = 3;

const undo: (() => void)[] = [];

afterEach(() => {
  for (const one of undo.splice(0)) one();
});

/** Signals of an application, by name, in order. */
function heard(application: Application): [name: string, fields: object][] {
  const events: [string, object][] = [];
  for (const signal of [request_started, got_request_exception, request_finished]) {
    const hear = ({ signal: { name }, sender, ...fields }: { signal: { name: string }; sender: unknown }): void => {
      events.push([name, fields]);
      expect(sender).toBe(application);
    };
    signal.connect(hear, { sender: application });
    undo.push(() => void signal.disconnect(hear, { sender: application }));
  }
  return events;
}

describe('the signals of a request', () => {
  test('are request_started before everything and request_finished after it, with the request', async () => {
    const application = new Application();
    const requests: HttpRequest[] = [];
    const events = heard(application);
    application.use((request, next) => {
      requests.push(request);
      expect(events).toEqual([['request_started', { request }]]);
      return next(request);
    });
    application.get('/', () => 'ok');
    await application.inject('/');
    expect(events).toEqual([
      ['request_started', { request: requests[0] }],
      ['request_finished', { request: requests[0], error: undefined }],
    ]);
  });

  test('are sent for what has no route, without an exception', async () => {
    const application = new Application();
    const events = heard(application);
    expect((await application.inject('/')).status).toBe(404);
    expect(events.map(([name]) => name)).toEqual(['request_started', 'request_finished']);
  });

  test('have got_request_exception between them, with the error', async () => {
    const error = new Error('boom');
    const application = new Application().get('/', () => Promise.reject(error));
    const events = heard(application);
    await application.inject('/');
    expect(events).toEqual([
      ['request_started', expect.anything()],
      ['got_request_exception', expect.objectContaining({ error })],
      ['request_finished', expect.objectContaining({ error: undefined })],
    ]);
  });

  test('are complete where even the error cannot be looked at, and no layer is there to take it', async () => {
    const trap = Object.assign(new Error('trap'), { code: 'TRAP' });
    Object.defineProperty(trap, 'name', {
      get: () => {
        throw new Error('sprung');
      },
    });
    const application = new Application().get('/', () => Promise.reject(trap));
    const events = heard(application);
    expect((await application.inject('/')).status).toBe(500);
    expect(events.map(([name]) => name)).toEqual(['request_started', 'got_request_exception', 'request_finished']);
  });

  test('are awaited: the handler after the receivers of request_started, the end after those of request_finished', async () => {
    const calls: string[] = [];
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const application = new Application().get('/', () => {
      calls.push('handler');
      return 'ok';
    });
    const slow = (name: string) => async (): Promise<void> => {
      await turn();
      calls.push(name);
    };
    for (const [signal, receiver] of [
      [request_started, slow('started')],
      [request_finished, slow('finished')],
    ] as const) {
      signal.connect(receiver, { sender: application });
      undo.push(() => void signal.disconnect(receiver, { sender: application }));
    }
    await application.inject('/');
    expect(calls).toEqual(['started', 'handler', 'finished']);
  });

  test('cost no promise where all is plain', () => {
    const application = new Application().use((request, next) => next(request)).get('/', () => 'ok');
    heard(application);
    const sent: string[] = [];
    const outgoing = { started: false, over: false, send: (head: string) => sent.push(head) };
    const params = new Map([['REQUEST_URI', '/']]);
    const result = application.handle({ params, role: 1, aborted: false } as never, outgoing as never);
    expect(result).toBeUndefined();
    expect(sent).toEqual([expect.stringMatching(/^Status: 200 OK/)]);
  });

  test('count what is active', async () => {
    const application = new Application();
    const counts: number[] = [];
    application.get('/', () => {
      counts.push(application.active);
      return 'ok';
    });
    await Promise.all([application.inject('/'), application.inject('/')]);
    expect([...counts, application.active]).toEqual([1, 1, 0]);
  });
});

describe('waitUntil', () => {
  test('waits for what is no Promise but can be waited for, such as a query, and does so once', async () => {
    class Query {
      runs = 0;
      // eslint-disable-next-line unicorn/no-thenable
      then(done?: (value: unknown) => unknown): void {
        this.runs += 1;
        setImmediate(() => done?.('rows'));
      }
    }
    const query = new Query();
    const application = new Application().get('/', (request) => {
      request.waitUntil(query as unknown as PromiseLike<unknown>);
      return 'ok';
    });
    expect((await application.inject('/')).text()).toBe('ok');
    expect([query.runs, application.active]).toEqual([1, 0]);
  });

  test('tells of work that failed before the answer was made', async () => {
    const application = new Application().get('/', async (request) => {
      request.waitUntil(Promise.reject(new Error('work')));
      await new Promise((resolve) => setImmediate(resolve)); // a rejection that nobody owns would fail this test
      return 'ok';
    });
    const events = heard(application);
    await application.inject('/');
    expect(events.map(([name]) => name)).toEqual(['request_started', 'got_request_exception', 'request_finished']);
  });
});

describe('roles', () => {
  test('an Authorizer says yes by 200 and no by anything else; layers run around it', async () => {
    const calls: string[] = [];
    const application = new Application({ mount: '/app' })
      .use((request, next) => {
        calls.push(`layer ${request.role}`);
        return next(request);
      })
      .authorize((request) => {
        if (request.header('Authorization') === undefined) throw new HttpError(401);
        return new HttpResponse(undefined, { headers: { 'Variable-USER': 'anna' } });
      });
    const yes = await application.inject({ role: AUTHORIZER, target: '/outside', headers: { Authorization: 'x' } });
    expect([yes.status, yes.header('Variable-USER'), yes.text()]).toEqual([200, 'anna', '']);
    const no = await application.inject({ role: AUTHORIZER, target: '/outside' });
    expect(no.status).toBe(401);
    expect(calls).toEqual(['layer 2', 'layer 2']);
  });

  test('a Filter has the file', async () => {
    const application = new Application().filter(async (request) => {
      const file = await request.data.bytes(100);
      return file.toString().toUpperCase();
    });
    const response = await application.inject({ role: FILTER, data: 'file' });
    expect(response.text()).toBe('FILE');
  });

  test('a Responder has the routes, whatever else there is', async () => {
    const application = new Application()
      .get('/', () => 'route')
      .authorize(() => 'authorizer')
      .filter(() => 'filter');
    expect((await application.inject({ role: RESPONDER })).text()).toBe('route');
  });

  test('a Server is given those that the application has', () => {
    const roles = (application: Application): string[] => Object.keys(application.handlers());
    expect(roles(new Application())).toEqual(['responder']);
    expect(roles(new Application().authorize(() => 'ok'))).toEqual(['responder', 'authorizer']);
    expect(roles(new Application().filter(() => 'ok'))).toEqual(['responder', 'filter']);
  });
});

describe('finishAll', () => {
  test('sends request_finished with its error, once, for what has not ended', async () => {
    const application = new Application();
    let release: (answer: string) => void = () => {};
    application.get('/', () => new Promise<string>((resolve) => (release = resolve)));
    const events = heard(application);
    const answered = application.inject('/');
    const error = new Error('stopping');
    await application.finishAll(error);
    await application.finishAll(error);
    expect(application.active).toBe(0);
    release('late');
    await answered;
    expect(events).toEqual([
      ['request_started', expect.anything()],
      ['request_finished', expect.objectContaining({ error })],
    ]);
  });

  test('has nothing to do where nothing runs', async () => {
    const application = new Application();
    const events = heard(application);
    await application.finishAll(new Error('stopping'));
    expect(events).toEqual([]);
  });
});

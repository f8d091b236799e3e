// An application whose requests' lives are written down: what each was to do, and which signals it was given.

import { Application, HttpError, HttpResponse, type Answer, type HttpRequest } from '../../lib/app/index.ts';
import {
  got_request_exception,
  request_finished,
  request_started,
  type RequestFinished,
} from '../../lib/signals/index.ts';
import { Mailbox } from './mailbox.ts';

/** What a handler, or something around it, does. */
export interface Behaviour {
  readonly name: string;
  /** How the undisturbed request ends: `answer` in any way, `cut` after the head, `abort` only when told to stop, `never`. */
  readonly end: 'answer' | 'cut' | 'abort' | 'never';
  /** Whether nothing of an answer comes before that. */
  readonly silent?: true;
  /** How often got_request_exception is sent for it, undisturbed. */
  readonly exceptions: number;
  /** The error that request_finished tells of, as text, undisturbed. Default: none. */
  readonly error?: RegExp;
  /** In END_REQUEST, undisturbed. Default 0. */
  readonly appStatus?: number;
  /** The request's method; its body is text of 1000 bytes where that is POST. */
  readonly method?: string;
  readonly handle: (request: HttpRequest, life: Life) => Answer | Promise<Answer>;
  readonly before?: (request: HttpRequest) => void | Promise<void>;
  readonly after?: (request: HttpRequest) => void | Promise<void>;
  readonly onStarted?: () => void | Promise<void>;
  readonly onFinished?: () => void | Promise<void>;
}

/** What became of one request. */
export interface Life {
  readonly behaviour: Behaviour;
  /** In order: `started`, `handled`, `exception`, then each receiver of request_finished by its name. */
  readonly events: string[];
  readonly errors: unknown[];
  /** Resolves when request_started has been sent. */
  readonly begun: Promise<void>;
  /** Resolves when the `last` receiver of request_finished has run. */
  readonly finished: Promise<void>;
  /** Lets a handler end that otherwise never would. */
  readonly release: () => void;
  readonly released: Promise<void>;
}

export const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const fail = (text: string): never => {
  throw new Error(text);
};

async function* pieces(count: number, size = 10, then: () => void = () => {}): AsyncGenerator<string> {
  for (let at = 0; at < count; at++) {
    await later();
    yield 'x'.repeat(size);
  }
  then();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const ok = (): string => 'ok';
const answers = { end: 'answer', exceptions: 0, handle: ok } as const;
const fails = { end: 'answer', exceptions: 1, appStatus: 1, handle: ok } as const;
const unsendable = { end: 'answer', exceptions: 1, appStatus: 1 } as const;

/** Every way a request can end by itself, and some that it cannot. */
export const BEHAVIOURS: readonly Behaviour[] = [
  { ...answers, name: 'answers at once' },
  { ...answers, name: 'answers later', handle: () => later().then(ok) },
  { ...answers, name: 'answers HEAD', method: 'HEAD' },
  { ...answers, name: 'answers 204', handle: () => HttpResponse.empty() },
  { ...answers, name: 'answers with a web-standard Response', handle: () => new Response('ok') },
  { ...answers, name: 'reads the body', method: 'POST', handle: (request) => request.text() },
  { ...answers, name: 'leaves the body', method: 'POST' },
  { ...answers, name: 'refuses a body that is too large', method: 'POST', handle: readTooLarge },
  { ...answers, name: 'throws an HttpError', handle: () => Promise.reject(new HttpError(404)) },
  { ...answers, name: 'streams', handle: () => HttpResponse.stream(pieces(3)) },
  { ...answers, name: 'streams much', handle: () => HttpResponse.stream(pieces(20, 50_000)) },
  { ...answers, name: 'streams for HEAD', method: 'HEAD', handle: () => HttpResponse.stream(pieces(3)) },
  { ...answers, name: 'works on after the answer', handle: (request) => (request.waitUntil(later()), 'ok') },
  { ...answers, name: 'waits before it is handled', before: later, after: later },
  { ...answers, name: 'has a receiver of request_started that throws', onStarted: () => fail('started') },
  { ...answers, name: 'has one that rejects', onStarted: () => Promise.reject(new Error('started')) },
  { ...answers, name: 'has a receiver of request_finished that throws', onFinished: () => fail('finished') },
  { ...answers, name: 'has one of these that rejects', onFinished: () => Promise.reject(new Error('finished')) },
  { ...fails, name: 'throws', handle: () => fail('handler') },
  { ...fails, name: 'rejects', handle: () => later().then(() => fail('handler')) },
  { ...fails, name: 'throws what has no text', handle: throwsNothing },
  { ...fails, name: 'throws what cannot be looked at', handle: throwsTrap },
  { ...fails, name: 'returns nothing', handle: () => undefined as unknown as string },
  { ...fails, name: 'has a middleware that throws before', before: () => fail('before') },
  { ...fails, name: 'has one that rejects before', before: () => Promise.reject(new Error('before')) },
  { ...fails, name: 'has one that throws after', after: () => fail('after') },
  { ...fails, name: 'has one that rejects after', after: () => Promise.reject(new Error('after')) },
  { ...fails, name: 'throws for HEAD', method: 'HEAD', handle: () => fail('handler') },
  {
    ...fails,
    name: 'throws an HttpError that is none',
    handle: () => new HttpError(404, 'x', { headers: [['a b', 'c']] }),
  },
  { ...fails, name: 'fails in work after the answer', appStatus: 0, handle: failsLater },
  {
    ...unsendable,
    name: 'answers with a status that is none',
    error: /status 99/,
    handle: () => new HttpResponse('x', { status: 99 }),
  },
  {
    ...unsendable,
    name: 'streams with a status that is none',
    error: /status 99/,
    handle: () => new HttpResponse(pieces(3), { status: 99 }),
  },
  {
    ...unsendable,
    name: 'answers with a head that is too large',
    error: /at most 8192/,
    handle: () => tooManyFields('ok'),
  },
  {
    ...unsendable,
    name: 'streams with a head that is too large',
    error: /at most 8192/,
    handle: () => tooManyFields(pieces(3)),
  },
  {
    ...unsendable,
    name: 'answers with a body that is none',
    error: /^TypeError: the body/,
    handle: () => new HttpResponse(7 as unknown as string),
  },
  {
    name: 'breaks off in its stream',
    end: 'cut',
    exceptions: 1,
    error: /^Error: stream$/,
    handle: () => HttpResponse.stream(pieces(2, 10, () => fail('stream'))),
  },
  {
    name: 'streams less than it said',
    end: 'cut',
    exceptions: 1,
    error: /less than the 100 bytes/,
    handle: () => HttpResponse.stream(pieces(2), { headers: { 'Content-Length': 100 } }),
  },
  {
    name: 'waits to be told to stop',
    silent: true,
    end: 'abort',
    exceptions: 0,
    error: /^AbortError/,
    handle: (request) => aborted(request.signal).then(ok),
  },
  {
    name: 'fails when told to stop',
    silent: true,
    end: 'abort',
    exceptions: 0,
    error: /^AbortError/,
    handle: (request) => aborted(request.signal).then(() => Promise.reject(request.signal.reason as Error)),
  },
  {
    name: 'streams without end',
    end: 'abort',
    exceptions: 0,
    error: /^AbortError/,
    handle: () => HttpResponse.stream(pieces(Infinity, 1000)),
  },
  {
    name: 'streams and falls silent',
    end: 'abort',
    exceptions: 0,
    error: /^AbortError/,
    handle: (_request, life) => HttpResponse.stream(silent(life)),
  },
  {
    name: 'never ends',
    silent: true,
    end: 'never',
    exceptions: 0,
    error: /^RequestError: the (?:server|worker) is stopping/,
    handle: (_request, life) => life.released.then(ok),
  },
  {
    name: 'never ends, with work that never ends',
    silent: true,
    end: 'never',
    exceptions: 0,
    error: /^RequestError: the (?:server|worker) is stopping/,
    handle: (request, life) => {
      request.waitUntil(life.released);
      return life.released.then(ok);
    },
  },
  {
    name: 'answers, with work that never ends',
    end: 'never',
    exceptions: 0,
    error: /^RequestError: the (?:server|worker) is stopping/,
    handle: (request, life) => {
      request.waitUntil(life.released);
      return 'ok';
    },
  },
  {
    name: 'has a receiver of request_started that never ends',
    silent: true,
    end: 'never',
    exceptions: 0,
    error: /^RequestError: the (?:server|worker) is stopping/,
    handle: ok,
    onStarted: () => new Promise(() => {}),
  },
];

function readTooLarge(request: HttpRequest): Promise<string> {
  request.maxBodyBytes = 10;
  return request.text();
}

function throwsNothing(): never {
  throw Object.create(null);
}

function throwsTrap(): never {
  const trap = Object.assign(new Error('trap'), { code: 'TRAP' });
  throw Object.defineProperty(trap, 'name', { get: () => fail('sprung') });
}

function failsLater(request: HttpRequest): string {
  request.waitUntil(later().then(() => fail('work')));
  return 'ok';
}

function tooManyFields(body: string | AsyncIterable<string>): HttpResponse {
  return new HttpResponse(body, { headers: { 'X-Large': 'x'.repeat(9000) } });
}

async function* silent(life: Life): AsyncGenerator<string> {
  yield 'x';
  await life.released;
}

/** The application, and its requests' lives in the order in which they were planned. */
export interface Lives {
  readonly application: Application;
  /** A request that is to come; its number is what it has to bring as X_LIFE. */
  readonly plan: (behaviour: Behaviour) => { number: number; life: Life };
  readonly all: readonly Life[];
  /** What was signalled for requests that nobody had planned. */
  readonly strangers: readonly string[];
  readonly disconnect: () => void;
}

/** Connects receivers for its own application only, and keeps quiet about those that fail. */
export function lives(): Lives {
  const all: Life[] = [];
  const strangers: string[] = [];
  const application = new Application();
  const note = (request: unknown, event: string): Life | undefined => {
    const life = all[Number((request as HttpRequest).environ.get('X_LIFE'))];
    (life?.events ?? strangers).push(event);
    return life;
  };
  application.use(async function around(request, next) {
    const life = note(request, 'handled') as Life;
    await life.behaviour.before?.(request);
    const response = await next(request);
    await life.behaviour.after?.(request);
    return response;
  });
  application.use((request, next) => next(request)); // a layer that is plain
  application.route('GET', '/', (request) => handle(request));
  application.route('POST', '/', (request) => handle(request));
  const handle = (request: HttpRequest): Answer | Promise<Answer> => {
    const life = all[Number(request.environ.get('X_LIFE'))] as Life;
    return life.behaviour.handle(request, life);
  };
  const undo: (() => void)[] = [];
  const hear = <Named extends { request: unknown }>(
    signal: {
      connect(receiver: (event: Named) => unknown, options: object): void;
      disconnect(receiver: (event: Named) => unknown, options: object): boolean;
    },
    receiver: (event: Named) => unknown,
    last = false,
  ): void => {
    signal.connect(receiver, { sender: application, last });
    undo.push(() => signal.disconnect(receiver, { sender: application }));
  };
  const finished = (name: string, then: (life: Life | undefined) => unknown, last = false): void => {
    hear<RequestFinished>(request_finished, ({ request }) => then(note(request, name)), last);
  };
  for (const signal of [request_started, request_finished] as { onError: unknown }[]) {
    const { onError } = signal;
    signal.onError = () => {};
    undo.push(() => (signal.onError = onError));
  }
  hear(request_started, ({ request }) => {
    const life = note(request, 'started') as LifeWithBoxes | undefined;
    life?.begunBox.put(undefined);
    return life?.behaviour.onStarted?.();
  });
  hear(got_request_exception, ({ request }) => note(request, 'exception'));
  finished('last', (life) => (life as LifeWithBoxes | undefined)?.finishedBox.put(undefined), true);
  hear<RequestFinished>(request_finished, ({ request, error }) => note(request, 'first')?.errors.push(error));
  finished('second', later);
  finished('third', (life) => life?.behaviour.onFinished?.());
  finished('fourth', () => {});
  return {
    application,
    all,
    strangers,
    plan: (behaviour) => {
      const life = newLife(behaviour);
      all.push(life);
      return { number: all.length - 1, life };
    },
    disconnect: () => {
      for (const one of undo) one();
    },
  };
}

interface LifeWithBoxes extends Life {
  readonly begunBox: Mailbox<void>;
  readonly finishedBox: Mailbox<void>;
}

function newLife(behaviour: Behaviour): LifeWithBoxes {
  const begunBox: Mailbox<void> = new Mailbox();
  const finishedBox: Mailbox<void> = new Mailbox();
  const releaseBox: Mailbox<void> = new Mailbox();
  return {
    behaviour,
    events: [],
    errors: [],
    begunBox,
    finishedBox,
    begun: begunBox.next(),
    finished: finishedBox.next(),
    release: () => releaseBox.put(undefined),
    released: releaseBox.next(),
  };
}

// request_finished is sent exactly once for every request whose request_started was sent, on every way a request can end.

import fc from 'fast-check';
import {
  errorPage,
  HttpResponse,
  serve,
  timeout,
  type HttpRequest,
  type ServeOptions,
  type Serving,
} from '../../lib/index.ts';
import { BEHAVIOURS, lives, type Behaviour, type Life, type Lives } from '../support/lifecycle.ts';
import { Mailbox } from '../support/mailbox.ts';
import { RawClient, turn } from '../support/raw-client.ts';
import { ABORT, begin, head, PARAMS, pairs, record, request, STDIN, STDOUT, stream } from '../support/raw-records.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
let count = 0;

const BODY = 'x'.repeat(1000);
const FINISHED = ['first', 'second', 'third', 'fourth', 'last']; // connect order, and `last` last

interface Stage {
  readonly lives: Lives;
  readonly serving: Serving;
  readonly connect: () => Promise<RawClient>;
  /** Send one whole request on a connection of its own. */
  readonly send: (behaviour: Behaviour) => Promise<{ client: RawClient; life: Life }>;
}

/** Serve an application, let `play` use it, and see that every request has had a whole life. */
async function onStage(play: (stage: Stage) => Promise<void>, options: ServeOptions = {}): Promise<Lives> {
  count += 1;
  const path = folder.join(`${count}.sock`);
  const log = lives();
  const clients: RawClient[] = [];
  const serving = await serve(log.application, { listen: `unix:${path}`, abortTimeout: 20, ...options });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(path);
    clients.push(client);
    return client;
  };
  const send = async (behaviour: Behaviour): Promise<{ client: RawClient; life: Life }> => {
    const { number, life } = log.plan(behaviour);
    const client = await connect();
    const keep = behaviour.end === 'never';
    await client.send(request({ keep, params: paramsOf(number, behaviour), stdin: bodyOf(behaviour) }));
    return { client, life };
  };
  try {
    await play({ lives: log, serving, connect, send });
    await inTime('close', log, serving.close({ timeout: 0 }));
    expectWholeLives(log);
  } finally {
    for (const life of log.all) life.release();
    for (const client of clients) client.destroy();
    await inTime('close after a failure', log, serving.close({ timeout: 0 }));
    log.disconnect();
  }
  expectWholeLives(log); // nothing comes after, from handlers that were not waited for
  return log;
}

/** Whatever happened: never finished without being started, never twice, every receiver once and in order. */
function expectWholeLives(log: Lives): void {
  for (const { behaviour, events, errors } of log.all) {
    const started = events.filter((event) => event === 'started');
    const finished = events.filter((event) => FINISHED.includes(event));
    expect([behaviour.name, finished]).toEqual([behaviour.name, started.length === 0 ? [] : FINISHED]);
    expect(started.length).toBeLessThanOrEqual(1);
    expect(errors).toHaveLength(started.length);
    if (started.length > 0) expect(events[0]).toBe('started');
  }
  expect(log.strangers).toEqual([]);
  expect(log.application.active).toBe(0);
}

const paramsOf = (number: number, { method = 'GET' }: Behaviour): Record<string, string> => ({
  X_LIFE: String(number),
  REQUEST_METHOD: method,
  ...(method === 'POST' && { CONTENT_LENGTH: String(BODY.length) }),
});

const bodyOf = ({ method }: Behaviour): string => (method === 'POST' ? BODY : '');

const plain: Behaviour = { name: 'plain', end: 'answer', exceptions: 0, handle: () => 'ok' };
const hanging: Behaviour = { ...plain, end: 'never', handle: (_asked, { released }) => released.then(() => 'ok') };

/** What is waited for comes, or it is said what was going on. */
async function inTime<T>(what: string, log: Lives, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const state = (): string =>
      log.all.map(({ behaviour, events }) => `${behaviour.name}: ${events.join()}`).join('; ');
    timer = setTimeout(() => reject(new Error(`${what}: still waiting after 5 seconds. ${state()}`)), 5000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const named = (...ends: Behaviour['end'][]): [string, Behaviour][] =>
  BEHAVIOURS.filter(({ end }) => ends.includes(end)).map((behaviour) => [behaviour.name, behaviour]);

/** The web server's view of an answer. */
async function seen(client: RawClient): Promise<string> {
  const response = await client.response().catch(() => undefined);
  return response === undefined ? 'cut off' : `ended with ${response.appStatus}`;
}

/** What the signals told of a request, and what they were to tell. */
const told = ({ events, errors }: Life): unknown[] => [
  errors.map(String),
  events.filter((one) => one === 'exception').length,
];
const toTell = ({ error, exceptions }: Behaviour): unknown[] => [
  [expect.stringMatching(error ?? /^undefined$/)],
  exceptions,
];

describe('comes by itself for a request that', () => {
  test.each(named('answer', 'cut'))('%s', async (_name, behaviour) => {
    await onStage(async ({ send }) => {
      const { client, life } = await send(behaviour);
      expect(await seen(client)).toBe(behaviour.end === 'cut' ? 'cut off' : `ended with ${behaviour.appStatus ?? 0}`);
      await life.finished;
      expect(told(life)).toEqual(toTell(behaviour));
    });
  });
});

describe('comes when the web server leaves, for a request that', () => {
  test.each(named('abort'))('%s', async (_name, behaviour) => {
    await onStage(async ({ send }) => {
      const { client, life } = await send(behaviour);
      await life.begun;
      client.destroy();
      await life.finished;
      expect(told(life)).toEqual(toTell(behaviour));
    });
  });
});

describe('comes when the worker stops, for a request that', () => {
  test.each(named('never'))('%s', async (_name, behaviour) => {
    await onStage(async ({ send, serving, lives: { application } }) => {
      const { client, life } = await send(behaviour);
      await life.begun;
      await client.sync();
      expect(application.active).toBe(1);
      await serving.close({ timeout: 0 });
      await life.finished;
      expect(told(life)).toEqual(toTell(behaviour));
    });
  });
});

test('comes when work after the answer has ended, and the answer does not wait for it', async () => {
  await onStage(async ({ send, lives: { application } }) => {
    const { client, life } = await send({
      ...plain,
      handle: (asked, { released }) => {
        asked.waitUntil(released.then(() => asked.waitUntil(turn()))); // work may add work
        return 'ok';
      },
    });
    expect((await client.response()).body).toBe('ok');
    expect(life.events).toEqual(['started', 'handled']);
    expect(application.active).toBe(1);
    life.release();
    await life.finished;
    expect(life.errors).toEqual([undefined]);
  });
});

test('comes after all errors of the work after the answer were told', async () => {
  const log = await onStage(async ({ send }) => {
    const { life } = await send({
      ...plain,
      handle: (asked) => {
        for (const text of ['one', 'other']) asked.waitUntil(Promise.reject(new Error(text)));
        return 'ok';
      },
    });
    await life.finished;
  });
  expect(log.all[0]?.events).toEqual(['started', 'handled', 'exception', 'exception', ...FINISHED]);
});

test('comes when a body does not', async () => {
  const behaviour = { ...plain, method: 'POST', handle: (asked: HttpRequest) => asked.text() };
  await onStage(
    async ({ connect, lives: log }) => {
      const { number, life } = log.plan(behaviour);
      const client = await connect();
      await client.send(head({ params: paramsOf(number, behaviour) }));
      expect((await client.response()).status).toBe(408);
      await life.finished;
      expect(life.events).toEqual(['started', 'handled', ...FINISHED]);
    },
    { bodyTimeout: 30 },
  );
});

test.each(['goes away', 'takes nothing'])('comes when a web server that a stream waits for %s', async (how) => {
  await onStage(
    async ({ connect, lives: log }) => {
      const waits = new Mailbox<void>();
      const behaviour = { ...plain, handle: () => HttpResponse.stream(untilFull(waits)) };
      const { number, life } = log.plan(behaviour);
      const client = await connect();
      client.socket.pause();
      await client.send(request({ params: paramsOf(number, behaviour) }));
      await waits.next();
      if (how === 'goes away') client.destroy();
      await life.finished;
      expect(life.events).toEqual(['started', 'handled', ...FINISHED]);
      expect(life.errors).toEqual([expect.objectContaining({ code: 'ABORTED' })]);
    },
    how === 'takes nothing' ? { writeTimeout: 50 } : {},
  );
});

/** More than any socket takes; `waits` is told when the next piece has not been asked for within a few turns. */
async function* untilFull(waits: Mailbox<void>): AsyncGenerator<Buffer> {
  for (let at = 0; at < 1000; at++) {
    let asked = false;
    void turn()
      .then(turn)
      .then(turn)
      .then(() => {
        if (!asked) waits.put(undefined);
      });
    yield Buffer.alloc(65_536);
    asked = true;
  }
}

test('comes once where a time-out has answered and the handler goes on', async () => {
  const log = await onStage(async ({ lives: { application }, send }) => {
    application.use(timeout(20));
    application.use((asked, next) => next(asked));
    const { client, life } = await send(hanging);
    expect((await client.response()).status).toBe(504);
    await life.finished;
    expect(life.errors).toEqual([undefined]);
    life.release();
    await turn();
  });
  expect(log.all[0]?.events).toEqual(['started', 'handled', ...FINISHED]);
});

describe('comes once where the server has ended it at requestTimeout, for a request that', () => {
  test.each(named('abort'))('%s', async (_name, behaviour) => {
    await onStage(
      async ({ send }) => {
        const { client, life } = await send(behaviour);
        expect(await seen(client)).toBe(behaviour.silent ? 'ended with 1' : 'cut off'); // a 504, or no end
        await life.finished;
        expect(told(life)).toEqual([
          ['RequestError: the request ended: it was not answered within requestTimeout, 50 ms'],
          0,
        ]);
      },
      { requestTimeout: 50 },
    );
  });

  test('goes on and answers late', async () => {
    const log = await onStage(
      async ({ send, lives: { application } }) => {
        application.use(errorPage()); // it is not asked: no layer waits for the handler
        const { client, life } = await send(hanging);
        expect((await client.response()).body).toBe('504 Gateway Timeout\n');
        expect(application.active).toBe(1);
        life.release();
        await life.finished;
        expect(life.errors).toEqual([expect.objectContaining({ code: 'TIMEOUT' })]);
      },
      { requestTimeout: 50 },
    );
    expect(log.all[0]?.events).toEqual(['started', 'handled', ...FINISHED]);
  });

  test('never ends, when the worker stops', async () => {
    const log = await onStage(
      async ({ send }) => {
        const { client } = await send(hanging);
        expect((await client.response()).status).toBe(504);
      },
      { requestTimeout: 50 },
    );
    expect(log.all[0]?.events).toEqual(['started', 'handled', ...FINISHED]);
  });
});

test('has come once and for all where a worker has not waited for receivers of request_started', async () => {
  const gate = new Mailbox<void>();
  const handle = jest.fn(() => 'ok');
  const log = await onStage(async ({ send, serving }) => {
    const { life } = await send({ ...plain, handle, onStarted: () => gate.next() });
    await life.begun;
    await serving.close({ timeout: 0 });
    expect(life.errors).toEqual([expect.objectContaining({ code: 'STOPPING' })]);
    gate.put(undefined);
    await turn();
  });
  expect(log.all[0]?.events).toEqual(['started', ...FINISHED]);
  expect(handle).not.toHaveBeenCalled();
});

test('waits for a handler that takes its time, when its worker has it', async () => {
  await onStage(async ({ send, serving }) => {
    const { client, life } = await send({ ...plain, handle: (_asked, { released }) => released.then(() => 'ok') });
    await life.begun;
    const closed = serving.close({ timeout: 10_000 });
    life.release();
    expect((await client.response()).body).toBe('ok');
    await closed;
    expect(life.errors).toEqual([undefined]);
  });
});

test('does not come for what never was a request: neither signal', async () => {
  const log = await onStage(
    async ({ connect, lives: { plan: planned } }) => {
      const client = await connect();
      const [first, ...others] = [planned(hanging), planned(plain), planned(plain), planned(plain)] as const;
      const paramsFor = ({ number }: { number: number }): Record<string, string> => paramsOf(number, plain);
      await client.send(request({ id: 1, keep: true, params: paramsFor(first) }));
      await first.life.begun;
      const [one, other, third] = others;
      await client.send(request({ id: 2, keep: true, params: paramsFor(one) })); // over maxActiveRequests: 503
      await client.send(request({ id: 3, keep: true, role: 2, params: paramsFor(other) })); // no such role
      await client.send(request({ id: 4, keep: true, params: { ...paramsFor(third), CONTENT_LENGTH: 'x' } }));
      expect((await client.response(2)).status).toBe(503);
      expect((await client.response(3)).protocolStatus).toBe(3);
      await client.response(4);
    },
    { maxActiveRequests: 1 },
  );
  expect(log.all.map(({ events }) => events.length > 0)).toEqual([true, false, false, false]);
});

/** What the web server does with a request. Where it leaves, it does so at once, ends its side, or aborts the request. */
interface Plan {
  readonly behaviour: Behaviour;
  /** In pieces: records one by one on a connection that is shared, else cut anywhere. */
  readonly delivery: 'whole' | 'in pieces';
  /** How far the web server gets before it leaves; `end`: it stays. */
  readonly leaves: 'in BEGIN' | 'in PARAMS' | 'in STDIN' | 'while handled' | 'in the answer' | 'short of STDIN' | 'end';
  readonly how: 'abort' | 'destroy' | 'half-close';
}

/** Play one request on a connection that it may share. Resolves when the web server has done its part. */
async function play(
  client: RawClient,
  plan: Plan,
  shared: boolean,
  id: number,
  number: number,
  life: Life,
): Promise<void> {
  const { behaviour, leaves } = plan;
  const params = paramsOf(number, behaviour);
  const body = bodyOf(behaviour);
  if (client.socket.writableEnded) return; // who was before has left
  const left = new Promise<void>((resolve) => client.socket.once('finish', () => resolve()));
  const answered = client.response(id).then(nothing, nothing);
  const over = Promise.race([answered, client.closed, left]);
  const send = async (...records: Buffer[]): Promise<void> => {
    const all = Buffer.concat(records);
    if (plan.delivery === 'whole') return client.send(all);
    if (!shared) return client.send(all, 'in random chunks', number + 1);
    for (const one of recordsOf(all)) await client.send(one).then(turn);
  };
  const leave = async (): Promise<void> => {
    if (plan.how === 'destroy') client.destroy();
    else if (plan.how === 'half-close') client.end();
    else await client.send(record(ABORT, id));
    await over;
  };
  switch (leaves) {
    case 'in BEGIN':
      await send(begin(id, { keep: true }));
      return leave();
    case 'in PARAMS':
      await send(begin(id, { keep: true }), record(PARAMS, id, pairs(params)));
      return leave();
    case 'in STDIN':
      await send(head({ id, keep: true, params }), record(STDIN, id, body.slice(0, 5)));
      return leave();
    case 'while handled':
      await send(request({ id, keep: true, params, stdin: body }));
      await Promise.race([life.begun, over]);
      return leave();
    case 'in the answer':
      await send(request({ id, keep: true, params, stdin: body }));
      if (!behaviour.silent) await Promise.race([output(client, id), over]);
      return leave();
    case 'short of STDIN':
      await send(head({ id, keep: true, params }), stream(STDIN, id, body.slice(0, 5)));
      break;
    default:
      await send(request({ id, keep: true, params, stdin: body }));
  }
  // One that does not end by itself is left waiting.
  if (behaviour.end === 'answer' || behaviour.end === 'cut') await over;
}

const nothing = (): void => {};

/** The request's first output has come, or never will. */
const output = (client: RawClient, id: number): Promise<void> => client.record(STDOUT, id).then(nothing, nothing);

/** Cut where records are. */
function* recordsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 8 + bytes.readUInt16BE(at + 4) + (bytes[at + 6] as number);
    yield bytes.subarray(at, end);
    at = end;
  }
}

const plan: fc.Arbitrary<Plan> = fc.record({
  behaviour: fc.constantFrom(...BEHAVIOURS),
  delivery: fc.constantFrom<Plan['delivery']>('whole', 'in pieces'),
  leaves: fc.constantFrom<Plan['leaves']>(
    'end',
    'end',
    'short of STDIN',
    'in the answer',
    'while handled',
    'in STDIN',
    'in PARAMS',
    'in BEGIN',
  ),
  how: fc.constantFrom<Plan['how']>('abort', 'destroy', 'half-close'),
});

const connections = fc.array(
  fc.record({
    plans: fc.array(plan, { minLength: 1, maxLength: 4 }),
    together: fc.boolean(), // multiplexed, or one after the other
  }),
  { minLength: 1, maxLength: 3 },
);

test('whatever requests do and wherever web servers leave: one request_finished for one request_started', async () => {
  let finished = 0;
  const options = fc.record({
    halfClose: fc.constantFrom<'abort' | 'finish'>('abort', 'finish'),
    requestTimeout: fc.constantFrom(Infinity, Infinity, 10),
  });
  await fc.assert(
    fc.asyncProperty(connections, options, fc.boolean(), async (all, serveOptions, closeAtOnce) => {
      const log = await onStage(async (stage) => {
        const played = all.map(async ({ plans, together }) => {
          const client = await stage.connect();
          const requests = plans.map((one, at) => {
            const { number, life } = stage.lives.plan(one.behaviour);
            return () => play(client, one, together, at + 1, number, life);
          });
          if (together) await Promise.all(requests.map((start) => start()));
          else for (const start of requests) await start();
          if (!closeAtOnce) client.destroy();
        });
        if (closeAtOnce) {
          await inTime('one of all', stage.lives, Promise.race(played));
          return;
        }
        await inTime('all', stage.lives, Promise.all(played));
        // Now that the web servers are gone all ends, but what never does, and what may go on without them.
        const immortal = serveOptions.halfClose === 'finish' ? ['never', 'abort'] : ['never'];
        const begun = stage.lives.all.filter(({ events }) => events.includes('started'));
        const mortal = begun.filter(({ behaviour }) => !immortal.includes(behaviour.end));
        await inTime('their ends', stage.lives, Promise.all(mortal.map((life) => life.finished)));
      }, serveOptions);
      finished += log.all.filter(({ events }) => events.includes('last')).length;
    }),
    { numRuns: 150, endOnFailure: true }, // a shorter example would take as long to find as each takes to fail
  );
  expect(finished).toBeGreaterThan(150);
}, 60_000);

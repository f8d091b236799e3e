// request_finished is sent exactly once for every request whose request_started was sent, on every way a request can end.

import fc from 'fast-check';
import { serve, type ServeOptions, type Serving } from '../../lib/index.ts';
import { BEHAVIOURS, lives, type Behaviour, type Life, type Lives } from '../support/lifecycle.ts';
import { RawClient } from '../support/raw-client.ts';
import { ABORT, begin, head, PARAMS, pairs, record, request, STDIN, STDOUT, stream } from '../support/raw-records.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
let count = 0;

const BODY = 'x'.repeat(1000);
const FINISHED = ['first', 'second', 'third', 'fourth', 'last']; // connect order, and `last` last

/** What the web server does with a request. Where it leaves, it does so at once, ends its side, or aborts the request. */
interface Plan {
  readonly behaviour: Behaviour;
  readonly delivery: 'whole' | 'in random chunks';
  /** How far the web server gets before it leaves; `end`: it stays. */
  readonly leaves: 'in BEGIN' | 'in PARAMS' | 'in STDIN' | 'while handled' | 'in the answer' | 'short of STDIN' | 'end';
  readonly how: 'abort' | 'destroy' | 'half-close';
}

interface Stage {
  readonly lives: Lives;
  readonly serving: Serving;
  connect(): Promise<RawClient>;
}

/** Serve an application, let `play` use it, and see that nothing is left of it. */
async function onStage(play: (stage: Stage) => Promise<void>, options: ServeOptions = {}): Promise<void> {
  count += 1;
  const path = folder.join(`${count}.sock`);
  const log = lives();
  const clients: RawClient[] = [];
  const serving = await serve(log.application, { listen: `unix:${path}`, abortTimeout: 20, ...options });
  try {
    await play({
      lives: log,
      serving,
      connect: async () => {
        const client = await RawClient.connect(path);
        clients.push(client);
        return client;
      },
    });
  } finally {
    for (const life of log.all) life.release();
    for (const client of clients) client.destroy();
    await serving.close({ timeout: 0 });
    log.disconnect();
  }
}

/** Whatever happened: never finished without being started, never twice, every receiver once and in order. */
function expectWholeLives(log: Lives): void {
  for (const { behaviour, events, errors } of log.all) {
    const finished = events.filter((event) => FINISHED.includes(event));
    const started = events.filter((event) => event === 'started');
    expect([behaviour.name, started.length]).toEqual([behaviour.name, finished.length / FINISHED.length]);
    expect(started.length).toBeLessThanOrEqual(1);
    expect(finished).toEqual(started.length === 0 ? [] : FINISHED);
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

/** Send one whole request on a connection of its own. */
async function sendWhole(stage: Stage, behaviour: Behaviour): Promise<{ client: RawClient; life: Life }> {
  const { number, life } = stage.lives.plan(behaviour);
  const client = await stage.connect();
  await client.send(request({ params: paramsOf(number, behaviour), stdin: bodyOf(behaviour) }));
  return { client, life };
}

/** Play one request on a connection that it may share. Resolves when the web server has done its part. */
async function play(client: RawClient, plan: Plan, id: number, number: number, life: Life): Promise<void> {
  const { behaviour, delivery, leaves } = plan;
  const params = paramsOf(number, behaviour);
  const body = bodyOf(behaviour);
  const endsByItself = behaviour.end === 'answer' || behaviour.end === 'cut';
  const over = client.response(id).then(
    () => {},
    () => {}, // the connection has ended
  );
  const send = (...records: Buffer[]): Promise<void> => client.send(Buffer.concat(records), delivery, number + 1);
  const leave = async (): Promise<void> => {
    if (plan.how === 'destroy') client.destroy();
    else if (plan.how === 'half-close') client.end();
    else await client.send(record(ABORT, id));
    // A half-closed connection is served to its end, where the server is told so: some requests have none.
    if (plan.how !== 'half-close' || endsByItself) await Promise.race([over, client.closed]);
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
    case 'short of STDIN':
      await send(head({ id, keep: true, params }), stream(STDIN, id, body.slice(0, 5)));
      break;
    default:
      await send(request({ id, keep: true, params, stdin: body }));
  }
  if (leaves === 'while handled') await Promise.race([life.handled, over]);
  if (leaves === 'in the answer' && behaviour.end !== 'never') await Promise.race([client.record(STDOUT, id), over]);
  if (leaves === 'while handled' || leaves === 'in the answer') return leave();
  // One that does not end by itself is left waiting.
  if (endsByItself) await over;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  behaviour: fc.constantFrom(...BEHAVIOURS),
  delivery: fc.constantFrom<Plan['delivery']>('whole', 'in random chunks'),
  leaves: fc.constantFrom<Plan['leaves']>(
    'in BEGIN',
    'in PARAMS',
    'in STDIN',
    'while handled',
    'in the answer',
    'short of STDIN',
    'end',
    'end',
  ),
  how: fc.constantFrom<Plan['how']>('abort', 'destroy', 'half-close'),
});

test('whatever requests do and wherever web servers leave: one request_finished for one request_started', async () => {
  const connection = fc.record({
    plans: fc.array(plan, { minLength: 1, maxLength: 4 }),
    together: fc.boolean(), // multiplexed, or one after the other
  });
  const connections = fc.array(connection, { minLength: 1, maxLength: 3 });
  const halfClose = fc.constantFrom<'abort' | 'finish'>('abort', 'finish');
  let finished = 0;
  await fc.assert(
    fc.asyncProperty(connections, fc.boolean(), halfClose, async (all, closeAtOnce, onHalfClose) => {
      let log: Lives | undefined;
      await onStage(
        async (stage) => {
          log = stage.lives;
          const played = all.map(async ({ plans, together }) => {
            const client = await stage.connect();
            const requests = plans.map((one, at) => {
              const { number, life } = stage.lives.plan(one.behaviour);
              return () => play(client, one, at + 1, number, life).catch(ignoreClosed);
            });
            if (together) await Promise.all(requests.map((start) => start()));
            else for (const start of requests) await start();
            if (!closeAtOnce) client.destroy();
          });
          if (closeAtOnce) await Promise.race(played);
          else {
            await within(played, () => `played ${JSON.stringify(stage.lives.all)}`);
            // Without the web server everything ends but what never does.
            const mortal = stage.lives.all.filter(({ behaviour }) => behaviour.end !== 'never');
            const begun = mortal.filter(({ events }) => events.includes('started'));
            await within(begun.map((life) => life.finished), () => JSON.stringify(begun));
          }
          await stage.serving.close({ timeout: 0 });
          expectWholeLives(stage.lives);
        },
        { halfClose: onHalfClose },
      );
      // And nothing comes after, when the handlers end that were not waited for.
      expectWholeLives(log as Lives);
      finished += (log as Lives).all.filter(({ events }) => events.includes('last')).length;
    }),
    { numRuns: 150 },
  );
  expect(finished).toBeGreaterThan(100);
}, 60_000);

/** RawClient's words for a connection that ended while something was waited for. */
function ignoreClosed(error: Error): void {
  if (!error.message.startsWith('the server closed')) throw error;
}

async function within(all: Promise<unknown>[], state: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting after 2 seconds: ${state()}`)), 2000);
  });
  await Promise.race([Promise.all(all), late]);
  clearTimeout(timer);
}

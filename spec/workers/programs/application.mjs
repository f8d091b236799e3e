// The application of the specs in spec/workers: each request carries a nonce, and a journal tells in which process it ran.

import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Application, HttpResponse, signals } from 'postfork';

const LOOK = 10; // ms between two looks for a file
const PACE = 15; // ms that a request takes: a worker that is killed has some in flight

/**
 * `folder`: of the journal (a line `PID begin|end NONCE` for each step, in the order of time) and of what the spec makes:
 * a file of a held request's name ends it. `version`: comes back in each answer. `startup`: ms that a receiver of
 * worker_started takes.
 */
export function application({ folder, version, startup }) {
  const app = new Application();
  if (startup > 0) signals.worker_started.connect(() => delay(startup));

  const note = (step, nonce) => appendFileSync(`${folder}/journal`, `${process.pid} ${step} ${nonce}\n`);
  const answer = (nonce, payload) =>
    HttpResponse.text(`${JSON.stringify({ nonce, pid: process.pid, version })}\n${payload}`);

  /** `bytes` of the nonce again and again. */
  app.get('/load/:nonce/:bytes', async ({ params: { nonce, bytes } }) => {
    note('begin', nonce);
    await delay(PACE);
    note('end', nonce);
    return answer(nonce, nonce.repeat(Math.ceil(bytes / nonce.length)).slice(0, bytes));
  });

  /** The request's body. */
  app.post('/load/:nonce/:bytes', async (request) => {
    const { nonce } = request.params;
    note('begin', nonce);
    const body = await request.text();
    await delay(PACE);
    note('end', nonce);
    return answer(nonce, body);
  });

  /** Answers when there is a file of its name. */
  app.get('/held/:nonce', async ({ params: { nonce } }) => {
    note('begin', nonce);
    while (!existsSync(`${folder}/${nonce}`)) await delay(LOOK);
    note('end', nonce);
    return answer(nonce, nonce.repeat(10_000));
  });

  /** Answers never, also when it is told that nobody waits. */
  app.post('/never/:nonce', async ({ params: { nonce } }) => {
    note('begin', nonce);
    await new Promise(() => {});
  });

  app.post('/blocked/:nonce', ({ params: { nonce } }) => {
    note('begin', nonce);
    turnForEver();
  });

  app.get('/exit/:nonce', ({ params: { nonce } }) => {
    note('begin', nonce);
    process.exit(1);
  });
  return app;
}

function turnForEver() {
  for (;;);
}

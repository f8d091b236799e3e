// HttpRequest.onCancel: who is told that nobody waits for the answer, without an AbortSignal.

import { Application, type HttpRequest, HttpResponse } from '../../lib/app/index.ts';

/** A request that is answered when `answer` is called. */
async function running(
  signal?: AbortSignal,
): Promise<{ request: HttpRequest; answer: () => void; ended: Promise<unknown> }> {
  const app = new Application();
  let answer!: () => void;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const begun = new Promise<HttpRequest>((resolve) => {
    app.fallback(async (request) => {
      resolve(request);
      await answered;
      return HttpResponse.text('late');
    });
  });
  const ended = app.inject({ target: '/', ...(signal && { signal }) }).catch(() => {});
  return { request: await begun, answer, ended };
}

test('each listener is told once, by the client’s going', async () => {
  const client = new AbortController();
  const { request, answer, ended } = await running(client.signal);
  const told: unknown[] = [];
  request.onCancel((reason) => told.push('first', reason));
  request.onCancel((reason) => told.push('second', reason));
  expect(told).toEqual([]);
  const reason = new Error('gone');
  client.abort(reason);
  expect(told).toEqual(['first', reason, 'second', reason]);
  request.cancel(new Error('later'));
  expect(told).toHaveLength(4);
  const [other, before] = [await running(client.signal), told.splice(0)];
  expect(before).toHaveLength(4);
  other.request.onCancel((again) => told.push(again));
  other.request.onCancel((again) => told.push(again));
  expect(told).toEqual([reason, reason]);
  other.answer();
  await other.ended;
  answer();
  await ended;
});

test('by a layer that cancels, and who comes late at once', async () => {
  const client = new AbortController();
  const { request, answer, ended } = await running(client.signal);
  const told: unknown[] = [];
  request.onCancel((reason) => told.push(reason));
  const reason = new Error('timeout');
  request.cancel(reason);
  expect(told).toEqual([reason]);
  request.onCancel((again) => told.push(again));
  expect(told).toEqual([reason, reason]);
  expect(request.signal.reason).toBe(reason);
  client.abort();
  expect(told).toHaveLength(2);
  answer();
  await ended;
});

// Lane: one thing at a time.

import { Lane } from '../../lib/db/scope/lane.ts';

const PATIENT = { timeout: 60_000, error: () => new Error('too long') };
const HURRIED = { timeout: 5, error: () => new Error('too long') };

function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('runs at once where nothing runs, and gives the result', async () => {
  const lane = new Lane();
  let begun = false;
  const running = lane.run(async () => {
    begun = true;
    return 7;
  }, PATIENT);
  expect(begun).toBe(true);
  expect(lane.busy).toBe(true);
  expect(await running).toBe(7);
  await lane.idle();
  expect(lane.busy).toBe(false);
});

test('runs one after the other in the order of asking, whatever becomes of them', async () => {
  const lane = new Lane();
  let running = 0;
  const order: number[] = [];
  const results = await Promise.allSettled(
    [1, 2, 3, 4, 5].map((n) =>
      lane.run(async () => {
        expect(++running).toBe(1);
        await new Promise(setImmediate);
        running--;
        order.push(n);
        if (n % 2 === 0) throw new Error('no');
      }, PATIENT),
    ),
  );
  expect(order).toEqual([1, 2, 3, 4, 5]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
});

test('who has waited too long is refused, never runs, and lets those behind it wait for those before it', async () => {
  const lane = new Lane();
  const { opened, open } = gate();
  const order: string[] = [];
  const first = lane.run(async () => {
    await opened;
    order.push('first');
  }, PATIENT);
  const expired = jest.fn(() => Promise.resolve());
  const second = lane.run(expired, HURRIED);
  const third = lane.run(async () => void order.push('third'), PATIENT);
  await expect(second).rejects.toThrow('too long');
  expect(order).toEqual([]);
  open();
  await Promise.all([first, third]);
  expect(order).toEqual(['first', 'third']);
  expect(expired).not.toHaveBeenCalled();
});

test('is idle when all are done, those too that were asked for meanwhile', async () => {
  const lane = new Lane();
  const order: string[] = [];
  void lane
    .run(async () => void order.push('first'), PATIENT)
    .then(() => lane.run(async () => void order.push('asked for by the first'), PATIENT));
  await lane.idle();
  expect(order).toEqual(['first', 'asked for by the first']);
  await lane.idle(); // at once
});

// Writes: the order of everything is that of a stream.Writable, whatever is written, corked and taken.

import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { type Done, Writes } from '../../../lib/adapters/node/writes.ts';

const BOUND = 16;

interface Written {
  write(text: string, done: Done): boolean;
  cork(): void;
  uncork(): void;
  room(): void;
  readonly state: { length: number; corked: number };
}

/** `takes`: for each chunk in turn, whether it is taken at once. */
function ours(takes: readonly boolean[], log: (line: string) => void): Written {
  let at = 0;
  const take = (chunk: string | Uint8Array): boolean => {
    log(`take ${chunk.toString()}`);
    return takes[at++ % takes.length] as boolean;
  };
  const writes = new Writes({ take }, () => log('drain'));
  return {
    write: (text, done) => writes.write(text, 'utf8', done, BOUND),
    cork: () => void (writes.corked += 1),
    uncork: () => writes.uncork(),
    room: () => writes.room(),
    get state() {
      return { length: writes.length, corked: writes.corked };
    },
  };
}

function nodes(takes: readonly boolean[], log: (line: string) => void): Written {
  let at = 0;
  let blocked: (() => void) | undefined;
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: BOUND,
    write(chunk: string, _encoding, done) {
      log(`take ${chunk}`);
      if (takes[at++ % takes.length]) done();
      else blocked = done;
    },
  });
  stream.on('drain', () => log('drain'));
  return {
    write: (text, done) => stream.write(text, done as () => void),
    cork: () => stream.cork(),
    uncork: () => stream.uncork(),
    room: () => {
      const done = blocked;
      blocked = undefined;
      done?.();
    },
    get state() {
      return { length: stream.writableLength, corked: stream.writableCorked };
    },
  };
}

type Step = number | 'cork' | 'uncork' | 'room' | 'turn';

async function played(make: typeof ours, steps: readonly Step[], takes: readonly boolean[]): Promise<string[]> {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const written = make(takes, log);
  let count = 0;
  for (const step of steps) {
    if (step === 'turn') await turn();
    else if (typeof step !== 'number') written[step]();
    else {
      const name = `${count++}`;
      const hasRoom = written.write(name.padEnd(step, '.'), () => log(`done ${name}`));
      log(`${name} ${hasRoom ? 'goes on' : 'waits'}`);
    }
    log(JSON.stringify(written.state));
  }
  for (let left = 0; left < 2 * steps.length; left++) {
    written.uncork();
    written.room();
    await turn();
  }
  log(JSON.stringify(written.state));
  return lines;
}

test('they are told as of a stream', async () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom<Step>('cork', 'uncork', 'room', 'turn'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      async (steps, takes) => {
        expect(await played(ours, steps, takes)).toEqual(await played(nodes, steps, takes));
      },
    ),
    { numRuns: 300 },
  );
});

test('what is given up is told to its callbacks, in their order', async () => {
  const codes: unknown[] = [];
  const writes = new Writes({ take: () => false }, () => {});
  const tell: Done = (error) => codes.push((error as NodeJS.ErrnoException | null)?.code);
  for (const text of ['taken', 'held', 'held, too']) writes.write(text, 'utf8', tell, BOUND);
  writes.giveUp();
  await turn();
  expect(codes).toEqual(['ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED']);
});

// Whether memory stays flat with a slow peer: `npx tsx bench/memory.ts --help`. Exits 1 where it does not.

import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { memoryOf, resetHighWater, watchMemory } from './support/memory-watch.ts';
import { requireBuild, startResponder } from './support/responder.ts';
import { inSession, progress, type Session } from './support/session.ts';
import { digits, formatTable } from './support/table.ts';
import { connectTo, type Answer } from './support/web-server.ts';

const MIB = 1024 * 1024;
const POSTFORK = 'postfork-slow';
const BARE = 'bare-slow'; // what Node itself takes for the same work
const WARM_UP = 300; // requests that load what every request needs

interface Options {
  upload: number;
  answer: number;
  limit: number;
}

interface Case {
  /** The program in responders/. */
  readonly responder: string;
  readonly title: string;
  readonly mib: number;
  /** Do the work on the responder at `socket`; rejects where it came out wrong. */
  run(socket: string): Promise<void>;
}

function expect(what: string, actual: unknown, right: unknown): void {
  if (actual !== right) throw new Error(`${what}: ${String(actual)} instead of ${String(right)}`);
}

const expectOk = ({ head }: Answer): void => {
  if (!/^Status: 200|^(?!Status:)[\w-]+:/.test(head)) throw new Error(`not a 200: ${head}`);
};

/** An upload that the handler begins to read after a second, and then 20 ms a MiB. */
function upload(responder: string, mib: number): Case {
  return {
    responder,
    title: `${mib} MiB upload into a slow handler`,
    mib,
    async run(socket) {
      const web = await connectTo(socket);
      const answer = await web.request(1, 'POST', '/slow', mib * MIB);
      web.close();
      expectOk(answer);
      expect('bytes that the handler read', answer.tail, String(mib * MIB));
    },
  };
}

/** The same while others share the connection: reading cannot just stop, for they are answered meanwhile. */
function sharedUpload(responder: string, mib: number): Case {
  return {
    responder,
    title: `${mib} MiB upload into a slow handler, multiplexed`,
    mib,
    async run(socket) {
      const web = await connectTo(socket);
      let uploading = true;
      const answer = web.request(1, 'POST', '/slow', mib * MIB).finally(() => {
        uploading = false;
      });
      let others = 0;
      for (; uploading; others += 1) {
        expect('the answer to another request', (await web.request(2, 'GET', '/')).tail, 'idle');
        await Promise.race([answer, pause(50)]);
      }
      web.close();
      expect('bytes that the handler read', (await answer).tail, String(mib * MIB));
      progress(`  ${others} other requests were answered meanwhile`);
    },
  };
}

/** An answer whose reader stops for a second after the first MiB, and then for 4 ms after each. */
function largeAnswer(responder: string, mib: number): Case {
  return {
    responder,
    title: `${mib} MiB answer to a slow reader`,
    mib,
    async run(socket) {
      let paused = 0;
      const web = await connectTo(socket, async (total) => {
        if (total - paused < MIB) return;
        await pause(paused === 0 ? 1000 : 4);
        paused = total;
      });
      const answer = await web.request(1, 'GET', `/large/${mib}`);
      web.close();
      expectOk(answer);
      expect('bytes of the answer', answer.bodyBytes, mib * MIB);
    },
  };
}

/** RSS of a responder that has served some requests and now has nothing to do. */
async function settle(pid: number, socket: string): Promise<number> {
  const web = await connectTo(socket);
  for (let count = 0; count < WARM_UP; count += 1)
    expect('the answer', (await web.request(1, 'GET', '/')).tail, 'idle');
  web.close();
  await pause(500);
  return memoryOf(pid).rss;
}

interface Outcome {
  row: string[];
  over: boolean;
}

async function measure(one: Case, limit: number, session: Session): Promise<Outcome> {
  const responder = await startResponder(one.responder, session, {
    calmMalloc: false,
    served: one.responder === POSTFORK,
  });
  try {
    const { pid, socket } = responder;
    const idle = await settle(pid, socket);
    resetHighWater(pid);
    const watch = watchMemory(pid);
    const started = performance.now();
    let highest = 0;
    try {
      await Promise.race([one.run(socket), interrupted(session.signal)]);
    } finally {
      highest = watch.stop();
    }
    const seconds = (performance.now() - started) / 1000;
    const { highWater } = memoryOf(pid);
    const above = Math.max(highest, highWater) - idle;
    const over = above >= limit * MIB;
    const sizes = [idle, highest, highWater, above].map((bytes) => digits(bytes / MIB));
    const row = [one.title, one.responder, ...sizes, String(limit), digits(seconds), digits(one.mib / seconds)];
    const judged = one.responder === POSTFORK;
    row.push(judged ? (over ? 'OVER' : 'flat') : 'for comparison');
    return { row, over: over && judged };
  } catch (error) {
    if (responder.complaint()) progress(responder.complaint());
    throw error;
  } finally {
    await responder.stop();
  }
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
  });
}

const HEAD = [
  'what',
  'responder',
  'idle MiB',
  'highest RSS',
  'VmHWM',
  'above idle',
  'limit',
  'seconds',
  'MiB/s',
  'result',
];

function readOptions(): Options {
  const mebibytes = (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number of MiB is needed');
    return value;
  };
  return new Command('bench/memory.ts')
    .description('How far above its idle RSS a Postfork responder gets with a slow handler and with a slow reader.')
    .option('--upload <MiB>', 'size of the upload', mebibytes, 256)
    .option('--answer <MiB>', 'size of the answer', mebibytes, 1024)
    .option('--limit <MiB>', 'the most above idle', mebibytes, 32)
    .parse()
    .opts<Options>();
}

const options = readOptions();

await inSession(async (session) => {
  await requireBuild();
  const rows: string[][] = [];
  let anyOver = false;
  const cases = [
    upload(POSTFORK, options.upload),
    upload(BARE, options.upload),
    sharedUpload(POSTFORK, options.upload),
    largeAnswer(POSTFORK, options.answer),
    largeAnswer(BARE, options.answer),
  ];
  for (const one of cases) {
    progress(`${one.title}: ${one.responder}`);
    const { row, over } = await measure(one, options.limit, session);
    rows.push(row);
    anyOver ||= over;
  }
  console.log(formatTable(HEAD, rows, 2));
  return anyOver ? 1 : 0;
});

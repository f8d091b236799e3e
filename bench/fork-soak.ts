// Whether forked workers live through a great deal of work: `npx tsx bench/fork-soak.ts --help`. Exits 1 where one does not.

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { requireBuild } from './support/responder.ts';
import { inSession, progress, type Session } from './support/session.ts';
import { digits, formatTable } from './support/table.ts';

const MIB = 1024 * 1024;
const FLAGS = ['--v8-pool-size=0', '--single-threaded'];
const PROGRAM = fileURLToPath(new URL('responders/fork-zygote.mjs', import.meta.url));
const CONNECTIONS = 16;
const ANSWERED_WITHIN = 30_000; // ms
const REPORT_EVERY = 10_000; // requests

interface Options {
  requests: number;
  workers: number;
  maxRequests: number;
  node: string;
}

interface Ended {
  type: 'ended';
  pid: number;
  code: number | null;
  signal: string | null;
  complaint: string;
  growth?: number;
}

type Zygote = ChildProcessByStdio<Writable, Readable, null>;

/** What has happened so far. */
class Tally {
  requests = 0;
  failures = 0;
  forked = 0;
  deaths = 0;
  /** The most that a worker's RSS has grown between its 1000th request and its last, in bytes. */
  growth = 0;
  firstComplaint = '';

  failed(why: string): void {
    this.failures += 1;
    this.firstComplaint ||= why;
  }

  hear(line: string): void {
    const event = JSON.parse(line) as { type: 'forked' } | Ended;
    if (event.type === 'forked') {
      this.forked += 1;
      return;
    }
    this.growth = Math.max(this.growth, event.growth ?? 0);
    if (event.code === 0) return;
    this.deaths += 1;
    this.firstComplaint ||= `worker ${event.pid}: ${event.code ?? event.signal}\n${event.complaint}`;
  }
}

/** One connection after the other, one request at a time, until all are made. */
async function load(path: string, total: number, tally: Tally, signal: AbortSignal): Promise<void> {
  while (tally.requests < total && !signal.aborted) {
    const socket = connect(path).setEncoding('utf8');
    socket.setTimeout(ANSWERED_WITHIN, () => socket.destroy(new Error('no answer in time')));
    let asked = '';
    const ask = (): void => {
      if (tally.requests >= total || signal.aborted) {
        asked = '';
        socket.end();
        return;
      }
      tally.requests += 1;
      if (tally.requests % REPORT_EVERY === 0) {
        progress(
          `${tally.requests} requests, ${tally.forked} forked, ${tally.deaths} deaths, ${tally.failures} failures`,
        );
      }
      asked = `${tally.requests}\n`;
      socket.write(asked);
    };
    socket.on('connect', ask).on('data', (answer: string) => {
      if (answer === asked) ask();
      else if (answer === `bye ${asked}`) asked = '';
      else tally.failed(`asked ${asked}, was told ${answer}`);
    });
    socket.on('error', (error) => {
      if (asked === '') return; // it was closed just after it had been opened
      asked = '';
      tally.failed(error.message);
    });
    await once(socket, 'close').catch(() => {}); // 'error' is told above, and 'close' follows
    if (!socket.closed) await once(socket, 'close');
    if (asked !== '') tally.failed(`no answer to ${asked}`);
  }
}

function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function soak(options: Options, { folder, signal: interrupted }: Session): Promise<number> {
  await requireBuild();
  const path = join(folder, 'soak.sock');
  const args = [...FLAGS, PROGRAM, path, String(options.workers), String(options.maxRequests)];
  const zygote: Zygote = spawn(options.node, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const tally = new Tally();
  const lines = createInterface({ input: zygote.stdout });
  lines.on('line', (line) => tally.hear(line));
  const gone = once(zygote, 'close');
  let ending = false;
  const stop = new AbortController();
  const signal = AbortSignal.any([interrupted, stop.signal]);
  const unexpected = gone.then(([code, killer]) => {
    if (!ending) throw new Error(`the zygote ended: ${String(code ?? killer)}`);
  });
  try {
    while (tally.forked < options.workers) await Promise.race([once(lines, 'line'), unexpected]);
    const before = rss(zygote.pid as number);
    const started = performance.now();
    const clients = Array.from({ length: CONNECTIONS }, () => load(path, options.requests, tally, signal));
    await Promise.race([Promise.all(clients), unexpected]);
    interrupted.throwIfAborted();
    const seconds = (performance.now() - started) / 1000;
    const grown = rss(zygote.pid as number) - before;
    const head = ['requests', 'seconds', 'forked', 'deaths', 'failures', 'worker RSS +MiB', 'zygote RSS +MiB'];
    const counted = [tally.requests, Math.round(seconds), tally.forked, tally.deaths, tally.failures].map(String);
    console.log(formatTable(head, [[...counted, digits(tally.growth / MIB), digits(grown / MIB)]], 0));
    if (tally.firstComplaint !== '') console.log(tally.firstComplaint);
    return tally.deaths === 0 && tally.failures === 0 ? 0 : 1;
  } finally {
    ending = true;
    stop.abort();
    zygote.stdin.end();
    const force = setTimeout(() => zygote.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(force);
  }
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('not a positive whole number');
  return value;
}

const options = new Command('bench/fork-soak.ts')
  .option('--requests <n>', 'how many', count, 1_000_000)
  .option('--workers <n>', 'forked workers at a time', count, 4)
  .option('--max-requests <n>', 'a worker is replaced after about so many', count, 10_000)
  .option('--node <path>', 'the Node.js that forks', process.execPath)
  .parse()
  .opts<Options>();

await inSession((session) => soak(options, session));

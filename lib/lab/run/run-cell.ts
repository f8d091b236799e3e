// runCell(): deploy a cell, send it requests, take it down, and tell what was seen.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cell, CellResult } from '../result.ts';
import { type Keeper, PgbouncerServer, type PostgresServer } from '../servers/index.ts';
import { type JournalLine, siteRequest, type SiteSettings } from '../site/index.ts';
import { lawful } from './cells.ts';
import { type Failure, SiteClient } from './client.ts';
import { copiesOf } from './copies.ts';
import { Deployment, RefusedError } from './deployment.ts';
import { measure } from './measure.ts';
import type { Run } from './run.ts';
import { LogText } from './log-text.ts';
import { readPgbouncerLog, readPostgresLog, type ServerLog } from './server-log.ts';

/** What the cells of a run have in common. */
export interface Bench {
  readonly postgres: PostgresServer;
  /** PostgreSQL's, of the whole run. */
  readonly log: LogText;
  readonly database: string;
  /** The web server's. */
  readonly port: number;
  readonly socket: string;
  readonly folder: string;
  readonly keeper: Keeper;
  /** The file of pg-native. */
  readonly native: string | undefined;
}

export interface CellOptions {
  readonly requests: number;
  /** ms without an answer that are a hang, where one is to be expected. Where the law speaks it is 5 times as long. */
  readonly timeout: number;
  /** Requests in the picture; 0: none. */
  readonly picture: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** In the folder of a run. */
export const JOURNAL = 'journal';

const PATIENCE = 5; // times as long where no hang is to be expected: a slow machine is none
const MOST_HANGS = 10; // then the rest would hang too: it is not asked for
const LOGGED_WITHIN = 3000; // ms for the servers to tell the end of the last session

/** A cell that serves. */
export interface Deployed {
  readonly deployment: Deployment;
  /** pgbouncer's, where it is in front of the database. */
  readonly poolerLog: LogText | undefined;
  readonly port: number;
  remove(): Promise<void>;
}

/** Rejects with RefusedError where it does not start. */
export async function deploy(cell: Cell, bench: Bench): Promise<Deployed> {
  const pooled = cell.fix.startsWith('pgbouncer');
  const poolerLog = pooled ? new LogText() : undefined;
  const pgbouncer =
    poolerLog && (await PgbouncerServer.create({ postgres: bench.postgres, onLog: (text) => poolerLog.add(text) }));
  const journal = journalFile(bench);
  await rm(journal, { force: true });
  const settings: SiteSettings = {
    url: (pgbouncer ?? bench.postgres).url(bench.database),
    fix: cell.fix,
    driver: cell.driver,
    journal,
    ...(bench.native !== undefined && { native: bench.native }),
  };
  try {
    const deployment = await Deployment.start({ ...bench, cell, settings });
    return {
      deployment,
      poolerLog,
      port: deployment.port ?? bench.port,
      async remove() {
        await deployment.stop();
        await pgbouncer?.remove();
      },
    };
  } catch (error) {
    await pgbouncer?.remove();
    throw error;
  }
}

export async function runCell(cell: Cell, bench: Bench, options: CellOptions): Promise<CellResult> {
  const startedAt = Date.now();
  const since = performance.now();
  const mark = bench.log.length;
  let deployed: Deployed | undefined;
  let refused: string | null = null;
  let copies: number | null = null;
  let deaths = 0;
  let asked = 0;
  let failures = new Map<number, Failure>();
  try {
    deployed = await deploy(cell, bench);
    copies = copiesOf(await readJournal(bench), readPostgresLog(bench.log.since(mark), bench.database).sessions);
    ({ asked, failures } = await ask(deployed.port, cell, options));
    ({ deaths } = deployed.deployment);
    if (deaths > 0) asDeaths(failures);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    refused = error.message;
  } finally {
    await deployed?.remove();
  }
  const journal = await readJournal(bench);
  asCrossed(failures, journal);
  const run: Run = {
    cell,
    requests: asked,
    failures,
    journal,
    postgres: await sessionsSince(bench, mark),
    pgbouncer: deployed?.poolerLog && readPgbouncerLog(deployed.poolerLog.since(0)),
    refused,
    copies,
    deaths,
    startedAt,
    seconds: Math.round(performance.now() - since) / 1000,
  };
  return measure(run, options.picture);
}

/** As many at a time as the cell has it, each of them one after the other. Resolves with the failures by the request's number. */
async function ask(
  port: number,
  cell: Cell,
  { requests, timeout, signal }: CellOptions,
): Promise<{ asked: number; failures: Map<number, Failure> }> {
  const { concurrency } = cell;
  const client = new SiteClient(port, lawful(cell) ? timeout * PATIENCE : timeout, concurrency);
  const close = (): void => client.close();
  signal.addEventListener('abort', close); // nobody waits for an answer then
  const failures = new Map<number, Failure>();
  let asked = 0;
  let hangs = 0;
  const askOn = async (): Promise<void> => {
    while (asked < requests && hangs < MOST_HANGS) {
      signal.throwIfAborted();
      const request = siteRequest(++asked);
      const failure = await client.ask(request);
      if (failure !== undefined) failures.set(request.number, failure);
      if (failure?.kind === 'hang') hangs++;
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, askOn));
  } finally {
    signal.removeEventListener('abort', close);
    client.close();
  }
  return { asked, failures };
}

/** A request without an answer, where workers have died. */
function asDeaths(failures: Map<number, Failure>): void {
  for (const [number, failure] of failures) {
    if (/^(?:no answer|5\d\d from the web server)/.test(failure.text) && failure.kind === 'other') {
      failures.set(number, { ...failure, kind: 'death' });
    }
  }
}

/** What fails on rows that it did not ask for has failed of them. */
function asCrossed(failures: Map<number, Failure>, journal: readonly JournalLine[]): void {
  const foreign = new Set(journal.filter(({ event }) => event === 'foreign').map(({ request }) => request));
  for (const [number, failure] of failures) {
    if (failure.kind === 'other' && foreign.has(number)) failures.set(number, { ...failure, kind: 'crossed' });
  }
}

function journalFile({ folder }: Bench): string {
  return join(folder, JOURNAL);
}

async function readJournal(bench: Bench): Promise<JournalLine[]> {
  const text = await readFile(journalFile(bench), 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as JournalLine).toSorted((a, b) => a.at - b.at);
}

/** All have ended when the deployment has, and their end is in the log a moment later. */
async function sessionsSince({ log, database }: Bench, mark: number): Promise<ServerLog> {
  const until = performance.now() + LOGGED_WITHIN;
  for (;;) {
    const found = readPostgresLog(log.since(mark), database);
    if (found.sessions.every(({ to }) => to !== null) || performance.now() > until) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

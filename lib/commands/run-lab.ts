// What `postfork lab` does: runs the cells that are asked for, and tells; or keeps one of them.

import { access, constants as fs, mkdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  allHolds,
  brokeDown,
  failed,
  type Cell,
  DRIVERS,
  type Driver,
  matrix,
  type Progress,
  reportHtml,
  reportJson,
  reportText,
  runLab,
  select,
  type WebServerName,
} from '../lab/index.ts';
import { EndingSignals } from './ending-signals.ts';
import { CommandError } from './exit-codes.ts';
import { keepCell } from './keep-cell.ts';

export interface LabFlags {
  driver?: Driver[];
  requests: number;
  concurrency?: number[];
  workers: number[];
  maxRequests: number[];
  webServer: WebServerName;
  only?: string[];
  keep?: boolean;
  list?: boolean;
  timeout: number;
  out: string;
  /** What was typed in place of `postfork lab`. */
  called: string;
}

const KEPT = 'fork/none/w4/m0';

export async function runLabCommand(flags: LabFlags): Promise<void> {
  const cells = cellsOf(flags);
  if (flags.list === true) {
    process.stdout.write(cells.map(({ id }) => `${id}\n`).join(''));
    return;
  }
  const signals = new EndingSignals(); // before there is anything to clean up
  const ending = new AbortController();
  signals.handOnTo((signal) => {
    if (ending.signal.aborted) process.exit(exitCodeOf(signal)); // its servers end with it
    process.stderr.write(`lab: ${signal}: ending, a moment please\n`);
    ending.abort(new CommandError(`ended by ${signal}`, exitCodeOf(signal)));
  });
  try {
    if (flags.keep === true) await keepCell(onlyOne(cells), flags.webServer, ending.signal);
    else await run(cells, flags, ending.signal);
  } finally {
    signals.close();
  }
}

async function run(cells: readonly Cell[], flags: LabFlags, signal: AbortSignal): Promise<void> {
  const { requests, timeout, webServer, out } = flags;
  const command = commandLine(flags.called);
  const html = join(out, 'report.html');
  await mkdir(out, { recursive: true }); // whether the report can be written is known before the minutes that it takes
  await access(out, fs.W_OK);
  process.stderr.write(
    `lab: ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'} of ${requests} requests; starting PostgreSQL and ${webServer}\n`,
  );
  const result = await runLab({ cells, requests, timeout, webServer, command, signal, onProgress: tellProgress });
  const { isTTY, columns } = process.stdout;
  const color = isTTY && (process.env['NO_COLOR'] ?? '') === ''; // https://no-color.org
  process.stdout.write(`${reportText(result, { color, ...(isTTY && { width: columns }) })}\n`);
  await writeFile(html, reportHtml(result));
  await writeFile(join(out, 'report.json'), reportJson(result));
  process.stderr.write(`lab: the report with its pictures: ${pathToFileURL(html).href}\n`);
  signal.throwIfAborted(); // its exit code
  if (!allHolds(result)) process.exitCode = 1;
}

function cellsOf({ driver, workers, maxRequests, concurrency, only, keep }: LabFlags): Cell[] {
  const options = {
    drivers: driver ?? DRIVERS,
    workers,
    maxRequests,
    concurrency: concurrency ?? (keep === true ? [1] : [1, 8]),
  };
  const cells = matrix(options);
  const patterns = only ?? (keep === true ? [KEPT] : undefined);
  if (patterns === undefined) return cells;
  const chosen = new Set(patterns.flatMap((pattern) => select(cells, pattern)));
  return cells.filter((cell) => chosen.has(cell));
}

/** What was typed, for a shell. */
function commandLine(called: string): string {
  const words = process.argv.slice(process.argv.indexOf('lab') + 1);
  const at = words.indexOf('--called');
  if (at >= 0) words.splice(at, 2);
  return [called, ...words.map(quoted)].join(' ');
}

function onlyOne(cells: readonly Cell[]): Cell {
  const [cell, ...others] = cells;
  if (cell !== undefined && others.length === 0) return cell;
  throw new RangeError(
    `--keep is for one cell, and --only names ${cells.length}:\n${cells.map(({ id }) => `  ${id}`).join('\n')}`,
  );
}

/** A line for each cell that is done; on a terminal also for the one that runs. */
function tellProgress({ number, of, cell, result }: Progress): void {
  const { stderr } = process;
  const start = `${stderr.isTTY ? '\r\u001B[K' : ''}[${String(number).padStart(String(of).length)}/${of}] ${cell.id.padEnd(30)}`;
  if (result === undefined) {
    if (stderr.isTTY) stderr.write(`${start} ...`);
    return;
  }
  const law =
    result.predicted === null
      ? ''
      : `, the law says ${result.predicted}${result.predicted === failed(result) ? '' : ' (!)'}`;
  const deaths = result.deaths === 0 ? '' : `, ${result.deaths} ${result.deaths === 1 ? 'worker' : 'workers'} died`;
  const amiss = result.amiss.map((sentence) => `; ${sentence} (!)`).join('');
  const ended = brokeDown(result) ? 'did not start (!)' : 'refuses to start';
  const what =
    result.refused !== null ? ended : `${failed(result)} of ${result.requests} failed${law}${deaths}${amiss}`;
  stderr.write(`${start} ${what} (${result.seconds.toFixed(1)} s)\n`);
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

// The command `postfork lab` for specs: what it finds, what it starts, and that nothing of it is left.

import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CellResult, LabResult } from '../../lib/lab/result.ts';
import { CLI } from '../commands/programs.ts';
import { SpecProcess, type Exit } from '../support/process.ts';
import { isRunning, processState, until } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary.ts';

export interface LabRun {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
  /** report.json. */
  readonly result: LabResult;
  /** report.html. */
  readonly html: string;
  /** The result of a cell by its name. */
  cell(id: string): CellResult;
}

export interface LabCommand {
  /** `without`: a program that the machine does not have. */
  start(args: readonly string[], without?: string): SpecProcess;
  /** Run it to its end, and read its report. */
  run(args: readonly string[], without?: string): Promise<LabRun>;
  /** What the commands have in their folder for temporary files. */
  leftOver(): string[];
  /** A file in the temporary folders of its servers; resolves with its text when it has a match. */
  fileSays(process: SpecProcess, name: string, pattern: RegExp): Promise<string>;
  /** Resolves when none of the processes runs, and no folder is there. */
  gone(pids: readonly number[]): Promise<void>;
}

/** Its processes end with the test. Call it where hooks may be registered. */
export function labCommand(): LabCommand {
  const folder = temporaryFolder();
  const tmpdir = (): string => folder.join('tmp');
  beforeAll(() => {
    chmodSync(folder.path, 0o755); // root's servers run as nobody
    mkdirSync(tmpdir());
  });
  const started: SpecProcess[] = [];
  afterEach(async () => {
    const running = started.splice(0).filter((process) => process.running);
    await Promise.all(running.map((process) => process.stop('SIGKILL')));
    if (running.length > 0) await until('the end of what a test has left', () => leftOver().length === 0);
  });
  const start: LabCommand['start'] = (args, without) => {
    const preload = pathToFileURL(join(__dirname, 'programs/without.mjs')).href;
    const process_ = new SpecProcess(process.execPath, [CLI, 'lab', ...args], {
      cwd: folder.path,
      environ: {
        TMPDIR: tmpdir(),
        ...(without !== undefined && { NODE_OPTIONS: `--import=${preload}`, WITHOUT: without }),
      },
    });
    started.push(process_);
    return process_;
  };
  const leftOver = (): string[] => readdirSync(tmpdir());
  let runs = 0;
  return {
    start,
    leftOver,
    async run(args, without) {
      const out = folder.join(`report-${++runs}`);
      const command = start([...args, '--out', out], without);
      const exit = await command.finished;
      const { stdout, stderr } = command;
      const read = (name: string): string => {
        try {
          return readFileSync(join(out, name), 'utf8');
        } catch (cause) {
          throw new Error(`there is no ${name}: ${stdout}${stderr}`, { cause });
        }
      };
      const result = JSON.parse(read('report.json')) as LabResult;
      const cell = (id: string): CellResult => {
        const found = result.cells.find((one) => one.cell.id === id);
        if (found === undefined) throw new Error(`no result of ${id}: ${stderr}`);
        return found;
      };
      return { exit, stdout, stderr, result, html: read('report.html'), cell };
    },
    async fileSays(process_, name, pattern) {
      let text = '';
      await process_.until(() => {
        for (const server of leftOver()) {
          try {
            text = readFileSync(join(tmpdir(), server, name), 'utf8');
          } catch {
            continue; // another server's folder, or not yet
          }
          if (pattern.test(text)) return true;
        }
        return false;
      });
      return text;
    },
    gone: (pids) => until('the end of all that was started', () => !pids.some(isRunning) && leftOver().length === 0),
  };
}

/** All that a process has started, and what these have, as long as their parents live. */
export function descendants(pid: number): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processState(Number(name)))
    .filter((state) => state !== undefined);
  const found = [pid];
  for (const parent of found) found.push(...all.filter((state) => state.parent === parent).map((state) => state.pid));
  return found.slice(1);
}

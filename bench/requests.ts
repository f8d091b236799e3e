// CPU time per request of Postfork, of its peers and of the bare ceiling: `npx tsx bench/requests.ts --help`.

import { availableParallelism, cpus } from 'node:os';
import { Command } from 'commander';
import { CONTESTANTS, MODES, type Contestant, type Mode } from './cases.ts';
import { choice, positive } from './support/arguments.ts';
import { compileDriver, drive, type Load } from './support/driver.ts';
import { requireBuild, startResponder } from './support/responder.ts';
import { inSession, progress, type Session } from './support/session.ts';
import { median, pairedRatio } from './support/statistics.ts';
import { digits, formatTable } from './support/table.ts';

interface Options {
  rounds: number;
  seconds: number;
  warmup: number;
  only: readonly Contestant[];
  mode: readonly Mode[];
}

/** What one responder did in one mode: its loads by round, or why it cannot. */
interface Cell {
  readonly mode: Mode;
  readonly contestant: Contestant;
  readonly loads: Map<number, Load>;
  failure?: string;
}

type CpuTime = 'responderCpuUs' | 'driverCpuUs' | 'othersCpuUs';

const QUIET = 0.2; // cores
const MUST_WORK = ['ceiling', 'postfork'];

const cpuPerRequest = (load: Load): number => load.responderCpuUs / load.requests;

function readOptions(): Options {
  return new Command('bench/requests.ts')
    .description("A responder's CPU time per request and requests/s, all responders interleaved. Results on stdout.")
    .option('--rounds <n>', 'rounds; medians are printed', positive, 5)
    .option('--seconds <s>', 'counted seconds of each measurement', positive, 1.5)
    .option('--warmup <s>', 'seconds before them', positive, 1)
    .addOption(choice('--only <names>', CONTESTANTS))
    .addOption(choice('--mode <names>', MODES))
    .addHelpText('after', `\nModes:\n${MODES.map((mode) => `  ${mode.name.padEnd(12)} ${mode.title}`).join('\n')}`)
    .parse()
    .opts<Options>();
}

/** One measurement in a fresh process: what the JIT and the heap happen to be is part of what varies. */
async function measure({ mode, contestant }: Cell, options: Options, binary: string, session: Session): Promise<Load> {
  const responder = await startResponder(contestant.name, session, { answerBytes: mode.answer });
  try {
    const { seconds, warmup } = options;
    const target = { socket: responder.socket, pid: responder.pid, answer: mode.answer, seconds, warmup };
    const kind = contestant.speaks === 'http' ? mode.http : mode.fastcgi;
    return await drive(binary, { ...(kind as Record<string, string>), ...target }, seconds + warmup, session.signal);
  } finally {
    await responder.stop();
  }
}

async function measureAll(cells: readonly Cell[], options: Options, session: Session): Promise<void> {
  const binary = await compileDriver();
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const mode of options.mode) {
      const row = cells.filter((cell) => cell.mode === mode);
      // Each round begins with another one, so that nobody always follows the same neighbour's heat.
      const turn = round % row.length;
      for (const cell of [...row.slice(turn), ...row.slice(0, turn)]) {
        if (cell.failure !== undefined) continue;
        const load = await measure(cell, options, binary, session);
        session.signal.throwIfAborted();
        if (load.errors > 0) cell.failure = load.firstError;
        else cell.loads.set(round, load);
        const what = cell.failure ?? `${digits(cpuPerRequest(load))} us, ${Math.round(load.requests / load.seconds)}/s`;
        progress(
          `round ${round}/${options.rounds}  ${mode.name.padEnd(11)}  ${cell.contestant.name.padEnd(14)}  ${what}`,
        );
      }
    }
  }
}

const HEAD = [
  'mode',
  'responder',
  'CPU us/request',
  'min-max',
  'x ceiling',
  'x node-http',
  'requests/s',
  'p50 us',
  'p99 us',
  'faults/request',
  'busy cores',
  'driver busy',
  'others busy',
];

function report(cells: readonly Cell[]): string {
  const notes: string[] = [];
  const note = (text: string): string => {
    const known = notes.indexOf(text);
    return ` [${known < 0 ? notes.push(text) : known + 1}]`;
  };
  const costs = (name: string, mode: Mode): Map<number, number> => {
    const cell = cells.find((one) => one.contestant.name === name && one.mode === mode);
    return new Map([...(cell?.loads ?? [])].map(([round, load]) => [round, cpuPerRequest(load)]));
  };
  const rows = cells.map(({ mode, contestant: { name }, loads, failure }) => {
    if (failure !== undefined) return [mode.name, name + note(failure), ...HEAD.slice(2).map(() => '-')];
    const all = [...loads.values()];
    const middle = (figure: (load: Load) => number): number => median(all.map(figure));
    const cores = (name: CpuTime): number => middle((load) => load[name] / load.seconds / 1e6);
    const own = costs(name, mode);
    const closes = all.some((load) => load.peerCloses) && mode.name !== 'single';
    return [
      mode.name,
      closes ? name + note('closes the connection after each answer although it was asked to keep it') : name,
      digits(median([...own.values()])),
      `${digits(Math.min(...own.values()))}-${digits(Math.max(...own.values()))}`,
      digits(pairedRatio(own, costs('ceiling', mode))),
      digits(pairedRatio(own, costs('node-http', mode))),
      middle((load) => load.requests / load.seconds).toFixed(0),
      middle((load) => load.p50Us).toFixed(0),
      middle((load) => load.p99Us).toFixed(0),
      middle((load) => load.responderFaults / load.requests).toFixed(2),
      ...[cores('responderCpuUs'), cores('driverCpuUs'), cores('othersCpuUs')].map((value) => value.toFixed(2)),
    ];
  });
  const legend = notes.map((text, index) => `[${index + 1}] ${text}`);
  return [formatTable(HEAD, rows, 2), '', ...legend, ...driverAgainstCeiling(cells), ...noise(cells)].join('\n');
}

/** Whether the driver could have sent more: against the cheapest responder, the hardest case. */
function driverAgainstCeiling(cells: readonly Cell[]): string[] {
  return cells
    .filter((cell) => cell.contestant.name === 'ceiling' && cell.loads.size > 0)
    .map(({ mode, loads }) => {
      const of = (figure: (load: Load) => number): number => median([...loads.values()].map(figure));
      const driver = of((load) => load.driverCpuUs / load.requests);
      const ceiling = of(cpuPerRequest);
      const busy = of((load) => load.driverCpuUs / load.seconds / 1e6);
      const doubt = busy > 0.95 ? '  <- the driver is the bottleneck: requests/s are its own' : '';
      const line = `${digits(driver)} us/request, ${busy.toFixed(2)} cores busy; ceiling ${digits(ceiling)} us/request`;
      return `driver vs ceiling, ${mode.name}: ${line}${doubt}`;
    });
}

function noise(cells: readonly Cell[]): string[] {
  const others = cells.flatMap(({ loads }) => [...loads.values()].map((load) => load.othersCpuUs / load.seconds / 1e6));
  const most = Math.max(0, ...others);
  if (most < QUIET) return [];
  return [`others kept up to ${most.toFixed(2)} cores busy: figures are steadier on a quiet machine`];
}

const options = readOptions();

await inSession(async (session) => {
  await requireBuild();
  const cells: Cell[] = options.mode.flatMap((mode) =>
    options.only.map((contestant) => ({ mode, contestant, loads: new Map<number, Load>() })),
  );
  for (const cell of cells) {
    if (cell.contestant.speaks === 'http' && typeof cell.mode.http === 'string') cell.failure = cell.mode.http;
  }
  await measureAll(cells, options, session);
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}`;
  console.log(`${machine}; medians of ${options.rounds} rounds of ${options.seconds} s, one process each\n`);
  console.log(report(cells));
  return cells.some((cell) => MUST_WORK.includes(cell.contestant.name) && cell.failure !== undefined) ? 1 : 0;
});

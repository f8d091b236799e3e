// Express, Fastify and a Node listener behind nginx: under Postfork, and by proxy_pass: `npx tsx bench/frameworks.ts --help`.

import { availableParallelism, cpus } from 'node:os';
import { Command } from 'commander';
import { choice, positive, wholeNumber } from './support/arguments.ts';
import {
  applicationSocket,
  nginxSocket,
  startApplication,
  startNginx,
  type Link,
  type Running,
  type Way,
} from './support/both-ways.ts';
import { compileDriver, drive, type Load } from './support/driver.ts';
import { requireBuild } from './support/responder.ts';
import { inSession, progress, type Session } from './support/session.ts';
import { median, pairedRatio } from './support/statistics.ts';
import { digits, formatTable } from './support/table.ts';

interface Mode {
  readonly name: string;
  readonly title: string;
  /** nginx's connections to the application; `none`: the load driver's own, without nginx. */
  readonly link: Link | 'none';
  /** Bytes of every answer's body. */
  readonly answer: number;
  /** Bytes of every request's body, JSON; 0: GET. */
  readonly body: number;
}

interface Named {
  readonly name: string;
}

interface Options {
  rounds: number;
  seconds: number;
  warmup: number;
  only: readonly Named[];
  mode: readonly Mode[];
}

/** What one application did in one mode, by round. */
interface Cell {
  readonly application: string;
  readonly mode: Mode;
  readonly loads: Readonly<Record<Way, Map<number, Load>>>;
}

const KIB = 1024;
const WAYS: readonly Way[] = ['fastcgi', 'http'];
const APPLICATIONS: readonly Named[] = [{ name: 'plain' }, { name: 'express' }, { name: 'fastify' }];
const MODES: readonly Mode[] = [
  { name: 'small', title: 'GET, 100 bytes; nginx keeps its connections', link: 'kept', answer: 100, body: 0 },
  { name: 'medium', title: 'the same, 10 KiB', link: 'kept', answer: 10 * KIB, body: 0 },
  { name: 'json', title: 'POST of 1 KiB of JSON, which is parsed; 100 bytes', link: 'kept', answer: 100, body: KIB },
  {
    name: 'single',
    title: 'GET, 100 bytes; a new connection to the application for each',
    link: 'single',
    answer: 100,
    body: 0,
  },
  { name: 'direct', title: 'GET, 100 bytes; without nginx, kept connections', link: 'none', answer: 100, body: 0 },
];

function readOptions(): Options {
  return new Command('bench/frameworks.ts')
    .description(
      'Applications under Postfork and on Node http by proxy_pass, behind one nginx: CPU time of a request. Results on stdout.',
    )
    .option('--rounds <n>', 'rounds; medians are printed', wholeNumber, 5)
    .option('--seconds <s>', 'counted seconds of each measurement', positive, 1)
    .option('--warmup <s>', 'seconds before them', positive, 1)
    .addOption(choice('--only <names>', APPLICATIONS))
    .addOption(choice('--mode <names>', MODES))
    .addHelpText('after', `\nModes:\n${MODES.map((mode) => `  ${mode.name.padEnd(8)} ${mode.title}`).join('\n')}`)
    .parse()
    .opts<Options>();
}

/** One measurement in a fresh process. Throws where an answer is wrong. */
async function measure(
  { application, mode }: Cell,
  way: Way,
  { seconds, warmup }: Options,
  binary: string,
  nginx: Running,
  session: Session,
): Promise<Load> {
  const { link, answer, body } = mode;
  const running = await startApplication(application, way, answer, session);
  try {
    const target =
      link === 'none'
        ? { socket: applicationSocket(session, way), mode: way === 'http' ? 'http-kept' : 'kept' }
        : { socket: nginxSocket(session, way, link), mode: 'http-kept', between: nginx.pid };
    const sent = body > 0 ? { body, json: '' } : {};
    const told = { ...target, ...sent, pid: running.pid, answer, seconds, warmup };
    const load = await drive(binary, told, seconds + warmup, session.signal);
    if (load.errors > 0) throw new Error(`${application}, ${mode.name}, ${way}: ${load.firstError}`);
    return load;
  } finally {
    await running.stop();
  }
}

const cpu = (load: Load): number => load.responderCpuUs / load.requests;
const rate = (load: Load): number => load.requests / load.seconds;

async function measureAll(cells: readonly Cell[], options: Options, session: Session): Promise<void> {
  const binary = await compileDriver();
  const nginx = await startNginx(session);
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const cell of cells) {
        for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
          const load = await measure(cell, way, options, binary, nginx, session);
          session.signal.throwIfAborted();
          cell.loads[way].set(round, load);
          const what = `${cell.application.padEnd(7)}  ${cell.mode.name.padEnd(6)}  ${way.padEnd(7)}`;
          progress(`round ${round}/${options.rounds}  ${what}  ${digits(cpu(load))} us, ${Math.round(rate(load))}/s`);
        }
      }
    }
  } finally {
    await nginx.stop();
  }
}

const HEAD = [
  'application',
  'mode',
  'Postfork us/request',
  'min-max',
  'proxy_pass us/request',
  'min-max',
  'Postfork : proxy_pass',
  'min-max',
  'nginx us by FastCGI',
  'by HTTP',
  'requests/s Postfork',
  'proxy_pass',
];

function report(cells: readonly Cell[]): string {
  const rows = cells.map(({ application, mode, loads }) => {
    const each = (way: Way, figure: (load: Load) => number): Map<number, number> =>
      new Map([...loads[way]].map(([round, load]) => [round, figure(load)]));
    const middle = (way: Way, figure: (load: Load) => number): number => median([...each(way, figure).values()]);
    const between = (load: Load): number => (load.betweenCpuUs ?? Number.NaN) / load.requests;
    const [own, peer] = [each('fastcgi', cpu), each('http', cpu)];
    const ratios = [...own].map(([round, value]) => value / (peer.get(round) ?? Number.NaN));
    return [
      application,
      mode.name,
      digits(median([...own.values()])),
      range([...own.values()]),
      digits(median([...peer.values()])),
      range([...peer.values()]),
      digits(pairedRatio(own, peer)),
      range(ratios),
      ...WAYS.map((way) => digits(middle(way, between))),
      ...WAYS.map((way) => middle(way, rate).toFixed(0)),
    ];
  });
  const loads = cells.flatMap((cell) => WAYS.flatMap((way) => [...cell.loads[way].values()]));
  const others = Math.max(0, ...loads.map((load) => load.othersCpuUs / load.seconds / 1e6));
  return `${formatTable(HEAD, rows, 2)}\n\nothers kept up to ${others.toFixed(2)} cores busy`;
}

function range(values: readonly number[]): string {
  return `${digits(Math.min(...values))}-${digits(Math.max(...values))}`;
}

const options = readOptions();

await inSession(async (session) => {
  await requireBuild();
  const cells: Cell[] = options.only.flatMap(({ name }) =>
    options.mode.map((mode) => ({ application: name, mode, loads: { fastcgi: new Map(), http: new Map() } })),
  );
  await measureAll(cells, options, session);
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}`;
  console.log(`${machine}; medians of ${options.rounds} rounds of ${options.seconds} s, one process each\n`);
  console.log(report(cells));
  return 0;
});

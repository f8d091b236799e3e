// `postfork status`: what arbiters and their workers are doing, asked on their control sockets.

import { Command } from 'commander';
import { askControl, controlFolder, controlPath, listControls } from '../daemon/index.ts';
import type { ArbiterStatus, WorkerStatus } from '../prefork/index.ts';

/** What `postfork serve` answers on its control socket. */
export interface ServeStatus extends ArbiterStatus {
  at: string;
  application: string;
  method: string;
}

export function statusCommand(): Command {
  return new Command('status')
    .description("show arbiters and their workers, one's own")
    .argument('[arbiter]', "an arbiter's process id, or the path given to --control (default: all there are)")
    .option('--json', 'one object for a named arbiter, a list of them without', false)
    .addHelpText(
      'after',
      `
Only the user that runs an arbiter may ask it. Requests are those that a worker has begun since its start, "active" those it
is at. Memory is resident; of forked workers much of it is shared.

Examples:
  $ postfork status
  $ postfork status 4711 --json
  $ postfork status /run/app.control`,
    )
    .action((arbiter: string | undefined, { json }: { json: boolean }) => run(arbiter, json));
}

async function run(arbiter: string | undefined, json: boolean): Promise<void> {
  const folder = controlFolder(process.env);
  if (arbiter !== undefined) {
    const path = /^\d+$/.test(arbiter) ? controlPath(folder, Number(arbiter)) : arbiter;
    const status = await ask(path);
    say(json ? JSON.stringify(status, undefined, 2) : statusText(status));
    return;
  }
  const asked = await Promise.allSettled((await listControls(folder)).map(({ path }) => ask(path)));
  const statuses = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  if (json) say(JSON.stringify(statuses, undefined, 2));
  else if (asked.length === 0) throw new Error(`no arbiter runs here (nothing in ${folder})`);
  else if (statuses.length > 0) say(statuses.map(statusText).join('\n\n'));
  const problems = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : []));
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n')); // behind those that answer
}

async function ask(path: string): Promise<ServeStatus> {
  return (await askControl(path)) as ServeStatus;
}

function statusText(status: ServeStatus): string {
  const { pid, state, application, at, method, generation, wanted, startedAt, workers } = status;
  const age = ageText((Date.now() - Date.parse(startedAt)) / 1000);
  return [
    `${application} at ${at}`,
    `arbiter ${pid}, ${state} for ${age}, method ${method}, generation ${generation}, ${wanted} workers wanted`,
    '',
    ...table([HEAD, ...workers.map(cells)]),
  ].join('\n');
}

const HEAD = ['worker', 'generation', 'state', 'requests', 'active', 'connections', 'memory', 'age'];

function cells(worker: WorkerStatus): string[] {
  const { pid, generation, state, requests, active, connections, rss, age } = worker;
  const numbers = [requests, active, connections].map(String);
  return [String(pid), String(generation), state, ...numbers, `${Math.round(rss / 1024 / 1024)} MiB`, ageText(age)];
}

function table(rows: readonly string[][]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] as number)).join('  '));
}

/** Such as 42s, 12m, 3h 20m, 5d 7h. */
function ageText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h ${minutes % 60}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

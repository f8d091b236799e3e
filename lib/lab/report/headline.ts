// The report in two sentences: what was reproduced, what fixes it. And whether the law held.

import type { Cell, CellResult, Fix, LabResult } from '../result.ts';
import { brokeDown, failed, fixesOf, kindsOf, lawHeld, isThreads, threadsCell, verdict } from './figures.ts';
import { count, list, nameInText } from './words.ts';

/** Two sentences, or one where no fix was tried. */
export function headline({ cells, webServer }: LabResult): readonly string[] {
  return [fault(cells, webServer), fixes(cells)].filter((sentence) => sentence !== '');
}

/** `The law held in 27 of 27 cells.`, and where it did not. */
export function lawSentence(result: LabResult): string {
  const { of, held, broken } = verdict(result);
  const started = notStarted(result) + otherwise(result);
  if (of === 0) return `The law says nothing of the cells that were run.${started}`;
  const line = `The law held in ${held} of ${count(of, 'cell')}`;
  if (broken.length === 0) return `${line}.${started}`;
  const cases = broken.map((cell) => `${cell.cell.id} (${failed(cell)} failed, the law says ${cell.predicted})`);
  return `${line}. It did not hold in ${list(cases)}.${started}`;
}

function notStarted({ cells }: LabResult): string {
  const ids = cells.filter(brokeDown).map(({ cell }) => cell.id);
  return ids.length === 0 ? '' : ` ${count(ids.length, 'cell')} did not start: ${list(ids)}.`;
}

/** What is amiss besides, of cells that have started. */
function otherwise({ cells }: LabResult): string {
  const all = cells
    .filter((cell) => !brokeDown(cell))
    .flatMap(({ cell, amiss }) => amiss.map((it) => `${cell.id}: ${it}.`));
  return all.length === 0 ? '' : ` Not as it must be: ${all.join(' ')}`;
}

function fault(cells: readonly CellResult[], webServer: string): string {
  const cell = threadsCell(cells);
  if (cell === undefined) {
    const broken = cells.find((result) => isThreads(result.cell) && brokeDown(result));
    const why = broken === undefined ? 'no cell of this run forks without a fix' : `${broken.cell.id} did not start`;
    return `The fault itself was not tried: ${why}.`;
  }
  const failures = `${failed(cell)} of ${count(cell.requests, 'request')} failed`;
  const forked = `behind ${webServer}, with a database connection opened at import and ${count(cell.cell.workers, 'worker')} forked after it, ${failures}`;
  if (failed(cell) === 0) return `Not reproduced: ${forked}${law(cell)}${alone(cell)}.`;
  return `Reproduced: ${forked} (${list(kindsOf(cell))})${law(cell)}${turnover(cells, cell)}.`;
}

function law(cell: CellResult): string {
  const held = lawHeld(cell);
  if (held === null) return '';
  if (!held) return `, which is NOT what the law says (${cell.predicted})`;
  return failed(cell) === 0 ? '' : ', exactly the workers that served less one';
}

/** Why nothing could fail. */
function alone({ workersServed, predicted }: CellResult): string {
  return predicted === 0 && workersServed === 1 ? ', as one worker served them all and the fault takes two' : '';
}

/** The same with the highest turnover of workers. */
function turnover(cells: readonly CellResult[], { cell }: CellResult): string {
  const [most] = alike(cells, cell)
    .filter((other) => other.cell.fix === 'none' && other.cell.workers === cell.workers && other.refused === null)
    .filter((other) => other.cell.maxRequests > 0)
    .toSorted((one, other) => one.cell.maxRequests - other.cell.maxRequests);
  if (most === undefined || cell.maxRequests > 0) return '';
  return `; with max-requests ${most.cell.maxRequests} it is ${failed(most)} of ${most.requests}`;
}

/** Forked, on the same driver, with as many requests at a time. */
function alike(cells: readonly CellResult[], { driver, concurrency }: Cell): readonly CellResult[] {
  return cells.filter(
    ({ cell }) => cell.deployment === 'fork' && cell.driver === driver && cell.concurrency === concurrency,
  );
}

function fixes(cells: readonly CellResult[]): string {
  const thread = threadsCell(cells);
  const all = thread === undefined ? cells.filter(({ cell }) => cell.deployment === 'fork') : alike(cells, thread.cell);
  const forked = all.filter(({ cell }) => cell.fix !== 'none');
  const of = (fix: Fix): readonly CellResult[] => forked.filter(({ cell }) => cell.fix === fix);
  const tried = fixesOf(forked);
  const broken = tried.filter((fix) => of(fix).some(brokeDown));
  const refusing = tried.filter((fix) => !broken.includes(fix) && of(fix).every(({ refused }) => refused !== null));
  const failing = tried.filter((fix) => of(fix).some((cell) => failed(cell) > 0));
  const deadly = tried.filter((fix) => !failing.includes(fix) && of(fix).some(({ deaths }) => deaths > 0));
  const amiss = tried.filter((fix) => of(fix).some((cell) => cell.amiss.length > 0));
  const working = tried.filter((fix) => ![...broken, ...refusing, ...failing, ...deadly, ...amiss].includes(fix));
  const sentence = [
    names(working, (all) => `no request failed with ${list(all, 'or')}`),
    names(refusing, (all) => `${list(all)} ${all.length === 1 ? 'refuses' : 'refuse'} to start`),
    names(failing, (all) => `requests still failed with ${list(all)}`),
    names(deadly, (all) => `workers died with ${list(all)}`),
  ]
    .filter((part) => part !== '')
    .join('; ');
  return sentence === '' ? '' : `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

function names(fixesOfAKind: readonly Fix[], say: (all: readonly string[]) => string): string {
  return fixesOfAKind.length === 0 ? '' : say(fixesOfAKind.map(nameInText));
}

// The report's charts: failures against workers and against max-requests, of each driver.

import type { CellResult, Driver, LabResult } from '../../result.ts';
import { failed, fixesOf, inOrder } from '../figures.ts';
import { html, type Html } from '../html.ts';
import { DRIVERS, count, keysOf, list, nameInText } from '../words.ts';
import { chart, type Point } from './chart.ts';

export function charts({ cells }: LabResult): Html {
  const forked = inOrder(cells).filter(
    ({ cell, refused }) => cell.deployment === 'fork' && refused === null && cell.concurrency === 1,
  );
  const drawn = keysOf(DRIVERS).flatMap((driver) => {
    const own = forked.filter(({ cell }) => cell.driver === driver);
    return [againstWorkers(driver, own), againstMaxRequests(driver, own)].filter((figure) => figure !== undefined);
  });
  if (drawn.length === 0) {
    return html`<p>
      A chart takes fork without a fix at two numbers of workers or max-requests, one request at a time.
    </p>`;
  }
  return html`${key(forked)}
    <div class="charts">${drawn}</div>`;
}

function key(cells: readonly CellResult[]): Html {
  const fixes = fixesOf(cells).filter((fix) => fix !== 'none');
  const item = (shape: Html, words: string): Html =>
    html`<li><svg width="30" height="22" viewBox="-15 -11 30 22" aria-hidden="true">${shape}</svg>${words}</li>`;
  return html`<ul class="legend">
    ${item(html`<circle class="measured" r="4.5" />`, 'measured, no fix')}
    ${item(html`<path class="law" d="M-14 0 H14" />`, 'the law: workers that served - 1')}
    ${cells.some(({ django }) => django !== null) ? item(html`<path class="django" d="M0 -10 L10 0 L0 10 L-10 0 Z" />`, 'real Django, of 100 requests') : undefined}
    ${fixes.length === 0 ? undefined : item(html`<rect class="fix" x="-3" y="-3" width="6" height="6" />`, `a fix, from left to right: ${list(fixes.map(nameInText))}`)}
  </ul>`;
}

function againstWorkers(driver: Driver, cells: readonly CellResult[]): Html | undefined {
  const maxRequests = preferred(cells, ({ cell }) => cell.maxRequests, 0);
  const own = cells.filter(({ cell }) => cell.maxRequests === maxRequests);
  const faults = own.filter(({ cell }) => cell.fix === 'none');
  const workers = unique(own.map(({ cell }) => cell.workers));
  if (faults.length === 0 || workers.length < 2) return undefined;
  const most = Math.max(...workers) + 1;
  const place = (number: number): number => (number - 1) / (most - 1);
  // With workers that live for ever all of them serve; else how many did is only known where it was measured.
  const told = faults.filter(({ predicted }) => predicted !== null);
  const law =
    maxRequests === 0 && told.length > 0
      ? [1, most].map((number) => ({ x: place(number), y: number - 1 }))
      : told.map(({ cell, predicted }) => ({ x: place(cell.workers), y: predicted ?? 0 }));
  return chart({
    id: `workers-${driver}`,
    title: `Failed requests against workers (${driver}, max-requests ${maxRequests})`,
    description: inWords(faults, ({ cell }) => count(cell.workers, 'worker')),
    xName: 'workers',
    xTicks: workers.map((number) => ({ x: place(number), label: String(number) })),
    points: pointsOf(own, ({ cell }) => place(cell.workers)),
    law,
  });
}

function againstMaxRequests(driver: Driver, cells: readonly CellResult[]): Html | undefined {
  const workers = preferred(cells, ({ cell }) => cell.workers, 4);
  const own = cells.filter(({ cell }) => cell.workers === workers);
  const faults = own.filter(({ cell }) => cell.fix === 'none');
  const limits = unique(own.map(({ cell }) => cell.maxRequests)); // 0 first, then fewer and fewer
  if (workers === undefined || faults.length === 0 || limits.length < 2) return undefined;
  const place = ({ cell }: CellResult): number => (limits.indexOf(cell.maxRequests) + 0.5) / limits.length;
  return chart({
    id: `max-requests-${driver}`,
    title: `Failed requests against max-requests (${driver}, ${count(workers, 'worker')})`,
    description: inWords(faults, ({ cell }) => `max-requests ${cell.maxRequests}`),
    xName: 'max-requests: how many a worker serves',
    xTicks: limits.map((limit, index) => ({
      x: (index + 0.5) / limits.length,
      label: limit === 0 ? '0: no limit' : String(limit),
    })),
    points: pointsOf(own, place),
    law: faults.flatMap((cell) => (cell.predicted === null ? [] : [{ x: place(cell), y: cell.predicted }])),
  });
}

function pointsOf(cells: readonly CellResult[], place: (cell: CellResult) => number): readonly Point[] {
  const fixes = fixesOf(cells).filter((fix) => fix !== 'none');
  return cells.flatMap((result) => {
    const { cell, django, requests } = result;
    const [x, y] = [place(result), failed(result)];
    const title = `${cell.id}: ${y} of ${requests} failed`;
    if (cell.fix !== 'none') return [{ kind: { fix: fixes.indexOf(cell.fix), of: fixes.length }, x, y, title }];
    const measured: Point = { kind: 'measured', x, y, title };
    if (django === null) return [measured];
    return [measured, { kind: 'django', x, y: django, title: `real Django: ${django} of 100 failed` }];
  });
}

function inWords(cells: readonly CellResult[], what: (cell: CellResult) => string): string {
  const sentences = cells.map((cell) => {
    const law = cell.predicted === null ? '' : `, the law says ${cell.predicted}`;
    const django = cell.django === null ? '' : `, real Django ${cell.django} of 100`;
    return `${what(cell)}: ${failed(cell)} of ${cell.requests} failed${law}${django}.`;
  });
  return sentences.join(' ');
}

/** The value that a chart is drawn at: the preferred one where there is a cell without a fix, else the first that has one. */
function preferred(
  cells: readonly CellResult[],
  valueOf: (cell: CellResult) => number,
  value: number,
): number | undefined {
  const values = cells.filter(({ cell }) => cell.fix === 'none').map(valueOf);
  return values.includes(value) ? value : values[0];
}

function unique(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)];
}

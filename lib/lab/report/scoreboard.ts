// The scoreboard: deployments down, fixes across.

import type { CellResult, Driver, Fix, LabResult } from '../result.ts';
import { brokeDown, failed, fixesOf, inOrder, kindsOf, lawHeld, unaccounted } from './figures.ts';
import { groupBy } from './group-by.ts';
import { html, type Html } from './html.ts';
import { DEPLOYMENTS, DRIVERS, FIXES, KINDS, count, sizeOf } from './words.ts';

export function scoreboard({ cells }: LabResult): Html {
  if (cells.length === 0) return html`<p>No cell was run.</p>`;
  const fixes = fixesOf(cells);
  const drivers = [...new Set(inOrder(cells).map(({ cell }) => cell.driver))];
  return html`<div class="scroll" role="region" aria-labelledby="scoreboard-caption" tabindex="0">
    <table class="scoreboard">
      <caption id="scoreboard-caption">
        <span>
          Requests that failed, in each deployment (rows) with each fix (columns). The law: failures = workers that
          served at least one request - 1, where they share a connection; else 0. With a strict close a worker keeps its
          dead copy, so the law says all requests of all workers but the first. A blank cell was not run.
        </span>
      </caption>
      <thead>
        <tr>
          <th scope="col">Deployment</th>
          ${fixes.map((fix) => html`<th scope="col">${FIXES[fix].name}<small>${FIXES[fix].explanation}</small></th>`)}
        </tr>
      </thead>
      ${drivers.map((driver) => group(driver, inOrder(cells), fixes))}
    </table>
  </div>`;
}

function group(driver: Driver, cells: readonly CellResult[], fixes: readonly Fix[]): Html {
  const rows = groupBy(
    cells.filter(({ cell }) => cell.driver === driver),
    rowKey,
  );
  return html`<tbody>
    <tr class="driver">
      <th scope="rowgroup" colspan="${fixes.length + 1}">
        <span>${driver}<small>${DRIVERS[driver]}</small></span>
      </th>
    </tr>
    ${[...rows.values()].map((row) => rowOf(row, fixes))}
  </tbody>`;
}

function rowKey({ cell }: CellResult): string {
  return [cell.deployment, cell.workers, cell.maxRequests, cell.concurrency].join('/');
}

function rowOf(row: readonly CellResult[], fixes: readonly Fix[]): Html | undefined {
  const [first] = row;
  if (first === undefined) return undefined;
  const { cell } = first;
  const size = [...sizeOf(cell), ...(cell.concurrency > 1 ? [`${cell.concurrency} at a time`] : [])];
  return html`<tr>
    <th scope="row">
      ${cell.deployment}${size.length === 0 ? html`<small>${DEPLOYMENTS[cell.deployment]}</small>` : size.map((part) => html`<small class="whole">${part}</small>`)}
    </th>
    ${fixes.map((fix) => cellOf(row.find((result) => result.cell.fix === fix)))}
  </tr>`;
}

function cellOf(result: CellResult | undefined): Html {
  if (result === undefined) return html`<td></td>`;
  const { refused, requests, connects, backends, copies, deaths, amiss, django } = result;
  if (brokeDown(result)) return html`<td class="bad"><b>⊘ did not start</b></td>`;
  if (refused !== null) return html`<td class="refused"><b>⊘ refuses to start</b></td>`;
  const failures = failed(result);
  const lost = unaccounted(result);
  const perRequest = requests === 0 ? connects : connects / requests;
  return html`<td class="${failures === 0 && deaths === 0 && amiss.length === 0 ? 'good' : 'bad'}">
    <b>${failures} of ${requests} failed</b>
    ${law(result)} ${kindsOf(result).map((kind) => html`<span>${KINDS[kind].name}: ${result.failures[kind]}</span>`)}
    ${deaths === 0 ? undefined : html`<span>${count(deaths, 'worker')} died</span>`}
    ${amiss.map((sentence) => html`<span class="broken">✗ ${sentence}</span>`)}
    ${lost === 0 ? undefined : html`<span class="broken">${lost} unaccounted for</span>`}
    ${copies === null || copies < 2 ? undefined : html`<small>${copies} processes had the import’s connection</small>`}
    <small class="whole">${perRequest} connects/request</small>
    <small>${backends} backends</small>
    ${django === null ? undefined : html`<small>real Django: ${django} of 100</small>`}
  </td>`;
}

function law(result: CellResult): Html {
  const held = lawHeld(result);
  if (held === null) return html`<span class="law">no law here</span>`;
  if (held) return html`<span class="law">law: ${result.predicted ?? ''} <i>✓ equal</i></span>`;
  return html`<span class="law broken">law: ${result.predicted ?? ''} <i>✗ not equal</i></span>`;
}

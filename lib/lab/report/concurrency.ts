// What comes only of requests at one time: the kinds, how often, and why.

import type { Cell, CellResult, FailureKind, LabResult } from '../result.ts';
import { brokeDown, failed, inOrder, kindsOf } from './figures.ts';
import { html, type Html } from './html.ts';
import { KINDS, keysOf, list } from './words.ts';

/** Nothing where every cell was run with one request at a time. */
export function concurrency({ cells }: LabResult): Html | undefined {
  const concurrent = inOrder(cells).filter(({ cell }) => cell.concurrency > 1);
  if (concurrent.length === 0) return undefined;
  const only = onlyThen(cells);
  const kinds = keysOf(KINDS).filter((kind) => concurrent.some(({ failures }) => failures[kind] > 0));
  const explained = kinds.filter((kind) => only?.includes(kind) === true || kind === 'crossed' || kind === 'hang');
  return html`<section id="concurrency">
    <h2>Several requests at a time</h2>
    <p>
      One after the other, the law tells the number. At the same time, workers that share a connection also write into
      each other’s questions and read each other’s answers, so the law says nothing. ${sentence(only)}
    </p>
    ${
      explained.length === 0
        ? undefined
        : html`<dl class="kinds">
            ${explained.map(
              (kind) =>
                html`<dt>${KINDS[kind].name}</dt>
                  <dd>${KINDS[kind].explanation}</dd>`,
            )}
          </dl>`
    }
    <div class="scroll" role="region" aria-labelledby="concurrency-caption" tabindex="0">
      <table>
        <caption id="concurrency-caption">
          <span>Failures by kind where requests were sent several at a time</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">Cell</th>
            <th scope="col">At a time</th>
            <th scope="col">Requests</th>
            <th scope="col">Failed</th>
            ${kinds.map((kind) => html`<th scope="col">${KINDS[kind].name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${concurrent.map((cell) => row(cell, kinds))}
        </tbody>
      </table>
    </div>
  </section>`;
}

function row(result: CellResult, kinds: readonly FailureKind[]): Html {
  const { cell, requests, failures, refused } = result;
  if (refused !== null) {
    return html`<tr>
      <th scope="row"><code>${cell.id}</code></th>
      <td colspan="${kinds.length + 3}">⊘ ${brokeDown(result) ? 'did not start' : 'refuses to start'}</td>
    </tr>`;
  }
  return html`<tr>
    <th scope="row"><code>${cell.id}</code></th>
    ${[cell.concurrency, requests, failed(result), ...kinds.map((kind) => failures[kind])].map((number) => html`<td>${number}</td>`)}
  </tr>`;
}

function sentence(only: readonly FailureKind[] | undefined): string {
  if (only === undefined) return 'None of these cells was also run with one request at a time, to compare.';
  if (only.length === 0) return 'In this run no kind of failure appeared only then.';
  return `Only then appeared: ${list(only.map((kind) => KINDS[kind].name))}.`;
}

/** Kinds of cells with several at a time that the same driver's cells have not with one. Undefined where none was run with both. */
function onlyThen(all: readonly CellResult[]): readonly FailureKind[] | undefined {
  const inTurn = new Set(all.filter(({ cell }) => cell.concurrency === 1).map(({ cell }) => nameOf(cell)));
  const cells = all.filter(({ cell }) => cell.concurrency === 1 || inTurn.has(nameOf(cell)));
  if (cells.every(({ cell }) => cell.concurrency === 1)) return undefined;
  const has = (kind: FailureKind, driver: Cell['driver'], several: boolean): boolean =>
    cells.some(
      (result) =>
        result.cell.driver === driver && result.cell.concurrency > 1 === several && kindsOf(result).includes(kind),
    );
  const drivers = [...new Set(cells.map(({ cell }) => cell.driver))];
  return keysOf(KINDS).filter((kind) => drivers.some((driver) => has(kind, driver, true) && !has(kind, driver, false)));
}

/** Whatever the number at a time. */
function nameOf({ driver, deployment, fix, workers, maxRequests }: Cell): string {
  return [driver, deployment, fix, workers, maxRequests].join('/');
}

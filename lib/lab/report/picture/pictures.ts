// The report's part about who held which connection over time.

import type { Cell, CellResult, LabResult, Timeline } from '../../result.ts';
import { brokeDown, failed, inOrder } from '../figures.ts';
import { html, type Html } from '../html.ts';
import { DRIVERS, FIXES, count, keysOf, sizeOf } from '../words.ts';
import { drawing } from './drawing.ts';
import { legend } from './legend.ts';
import { story } from './story.ts';

export function pictures({ cells }: LabResult): Html {
  const shown = failingFirst(cells);
  if (shown.length === 0) return html`<p>No cell of this run has kept its first requests.</p>`;
  return html`<p>
      Each process has a lane, and so have the servers. A bar is a connection, told by its number and its color: it
      lasts as long as the process holds it. The axis steps with events, not with time.
    </p>
    ${legend()} ${shown.map(({ result, timeline }, index) => picture(result, timeline, `picture-${index + 1}`))}`;
}

interface Shown {
  readonly result: CellResult;
  readonly timeline: Timeline;
}

/** The fault first, then a fix after the other; then other drivers. */
function failingFirst(cells: readonly CellResult[]): readonly Shown[] {
  const rank = ({ cell }: CellResult): number =>
    keysOf(DRIVERS).indexOf(cell.driver) * 100 +
    (cell.deployment === 'fork' ? 0 : 50) +
    (cell.concurrency > 1 ? 25 : 0) +
    keysOf(FIXES).indexOf(cell.fix);
  return inOrder(cells)
    .toSorted((one, other) => rank(one) - rank(other))
    .flatMap((result) => (result.timeline === null ? [] : [{ result, timeline: result.timeline }]));
}

function picture(result: CellResult, timeline: Timeline, id: string): Html {
  const { cell, requests, refused } = result;
  const told = story(timeline, refused !== null).join(' ');
  const shown = timeline.shown < requests ? `The first ${timeline.shown} of ${requests} requests.` : '';
  return html`<figure>
    <h3>${titleOf(cell)} <code>${cell.id}</code></h3>
    ${mark(result)} ${drawing(timeline, id, titleOf(cell), told)}
    <figcaption>${told} <span class="dim">${shown}</span></figcaption>
  </figure>`;
}

function titleOf(cell: Cell): string {
  const { deployment, fix, driver, concurrency } = cell;
  const several = concurrency > 1 ? [`${concurrency} at a time`] : [];
  return [deployment, FIXES[fix].name, ...sizeOf(cell), ...several, ...(driver === 'pg' ? [] : [driver])].join(', ');
}

function mark(result: CellResult): Html {
  if (brokeDown(result)) return html`<p class="mark bad">⊘ did not start</p>`;
  if (result.refused !== null) return html`<p class="mark">⊘ refuses to start</p>`;
  const failures = failed(result);
  const died = result.deaths === 0 ? '' : `, ${count(result.deaths, 'worker')} died`;
  const good = failures === 0 && died === '' && result.amiss.length === 0;
  return html`<p class="${good ? 'mark good' : 'mark bad'}">${failures} of ${result.requests} failed${died}</p>`;
}

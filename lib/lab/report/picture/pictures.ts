// The report's part about who held which connection over time.

import type { CellResult, LabResult, Timeline } from '../../result.ts';
import { failed, inOrder } from '../figures.ts';
import { html, type Html } from '../html.ts';
import { FIXES, keysOf, sizeOf } from '../words.ts';
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

/** The fault first, then a fix after the other. */
function failingFirst(cells: readonly CellResult[]): readonly Shown[] {
  const rank = ({ cell }: CellResult): number =>
    (cell.deployment === 'fork' ? 0 : 100) + keysOf(FIXES).indexOf(cell.fix);
  return inOrder(cells)
    .toSorted((one, other) => rank(one) - rank(other))
    .flatMap((result) => (result.timeline === null ? [] : [{ result, timeline: result.timeline }]));
}

function picture(result: CellResult, timeline: Timeline, id: string): Html {
  const { cell, requests } = result;
  const title = [cell.deployment, FIXES[cell.fix].name, ...sizeOf(cell)].join(', ');
  const told = story(timeline).join(' ');
  const shown = timeline.shown < requests ? `The first ${timeline.shown} of ${requests} requests.` : '';
  return html`<figure>
    <h3>${title} <code>${cell.id}</code></h3>
    <p class="${failed(result) === 0 ? 'mark good' : 'mark bad'}">${failed(result)} of ${requests} failed</p>
    ${drawing(timeline, id, title, told)}
    <figcaption>${told} <span class="dim">${shown}</span></figcaption>
  </figure>`;
}

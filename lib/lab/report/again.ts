// How to have the run again, and what it has left out.

import type { LabResult } from '../result.ts';
import { inOrder, threadsCell } from './figures.ts';
import { html, preformatted, type Html } from './html.ts';

const EXAMPLES = 3;

export function again(result: LabResult): Html {
  const thread = threadsCell(result.cells)?.cell.id;
  const others = inOrder(result.cells)
    .filter(({ cell }) => cell.deployment === 'fork' && cell.fix !== 'none')
    .map(({ cell }) => cell.id);
  const ids = [...(thread === undefined ? [] : [thread]), ...others].slice(0, EXAMPLES);
  return html`<p>The whole run, as it was:</p>
    ${preformatted(result.command)}
    <p>Everything from nothing (PostgreSQL, the web server, pgbouncer), with the default matrix:</p>
    ${preformatted('scripts/reproduce')}
    ${
      ids.length === 0
        ? undefined
        : html`<p>A single cell, and one that is left running to be looked at:</p>
            ${preformatted([...ids.map((id) => `postfork lab --only ${id}`), `postfork lab --only ${ids[0] ?? ''} --keep`].join('\n'))}`
    }`;
}

export function leftOut({ left }: LabResult): Html {
  if (left.length === 0) return html`<p>Nothing was left out.</p>`;
  return html`<ul>
    ${left.map((line) => html`<li>${line}</li>`)}
  </ul>`;
}

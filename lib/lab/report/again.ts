// How to have the run again, and what it has left out.

import type { Cell, LabResult, WebServerName } from '../result.ts';
import { inOrder, threadsCell } from './figures.ts';
import { html, preformatted, type Html } from './html.ts';

const EXAMPLES = 3;

export function again(result: LabResult): Html {
  const thread = threadsCell(result.cells)?.cell;
  const others = inOrder(result.cells)
    .map(({ cell }) => cell)
    .filter(({ deployment, fix }) => deployment === 'fork' && fix !== 'none');
  const shown = [...(thread === undefined ? [] : [thread]), ...others].slice(0, EXAMPLES);
  const commands = shown.map((cell) => commandOf(cell, result.webServer));
  return html`<p>The whole run, as it was:</p>
    ${preformatted(result.command)}
    <p>Everything from nothing (PostgreSQL, the web server, pgbouncer), with the default matrix:</p>
    ${preformatted('scripts/reproduce')}
    ${
      commands.length === 0
        ? undefined
        : html`<p>A single cell, and one that is left running to be looked at:</p>
            ${preformatted([...commands, `${commands[0] ?? ''} --keep`].join('\n'))}`
    }`;
}

/** It is of the default matrix, or of the one with its own numbers. */
function commandOf({ id, deployment, workers, maxRequests, concurrency }: Cell, webServer: WebServerName): string {
  const forked = deployment === 'fork' || deployment === 'spawn';
  const options = [
    ...(forked && workers !== 4 ? [`--workers ${workers}`] : []),
    ...(forked && maxRequests !== 0 ? [`--max-requests ${maxRequests}`] : []),
    ...(concurrency > 1 ? [`--concurrency ${concurrency}`] : []),
    ...(webServer === 'lighttpd' ? [] : [`--web-server ${webServer}`]),
  ];
  return ['postfork lab --only', id, ...options].join(' ');
}

export function leftOut({ left }: LabResult): Html {
  if (left.length === 0) return html`<p>Nothing was left out.</p>`;
  return html`<ul>
    ${left.map((line) => html`<li>${line}</li>`)}
  </ul>`;
}

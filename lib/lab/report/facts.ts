// When the run was, how long it took, and with what.

import type { LabResult } from '../result.ts';
import { html, type Html } from './html.ts';
import { count, duration, keysOf } from './words.ts';

export function facts({ startedAt, seconds, command, versions, webServer, cells }: LabResult): Html {
  const requests = cells.reduce((sum, cell) => sum + cell.requests, 0);
  const fact = (name: string, value: string): Html =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<dl class="facts">
    ${fact('Started', moment(startedAt))} ${fact('Took', duration(seconds))}
    ${fact('Tried', `${count(cells.length, 'cell')}, ${count(requests, 'request')}`)} ${fact('Web server', webServer)}
    <div class="wide">
      <dt>Command</dt>
      <dd><code>${command}</code></dd>
    </div>
    <div class="wide">
      <dt>Versions</dt>
      <dd>
        ${keysOf(versions).map((name, index) => html`${index === 0 ? '' : ' · '}<span>${name} ${versions[name]}</span>`)}
      </dd>
    </div>
  </dl>`;
}

/** `2026-03-01 12:30:05 UTC`. */
function moment(iso: string): string {
  return iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/, '$1 $2 UTC');
}

// What the signs and bars of the pictures mean.

import { html, type Html } from '../html.ts';
import { keysOf } from '../words.ts';
import { SIGNS } from './signs.ts';

export function legend(): Html {
  const item = (drawn: Html, words: string): Html =>
    html`<li><svg width="30" height="20" viewBox="-15 -10 30 20" aria-hidden="true">${drawn}</svg>${words}</li>`;
  return html`<ul class="legend">
    ${item(html`<g class="bar c-0"><rect class="alive" x="-14" y="-7" width="28" height="15" rx="3" /><text class="number" x="-9" y="4">1</text></g>`, 'the process holds connection 1, or a copy of it')}
    ${item(html`<g class="bar c-0"><rect class="dead" x="-14" y="-6" width="28" height="13" rx="3" /></g>`, 'it still holds it, but its session has been ended')}
    ${keysOf(SIGNS).map((sign) => item(html`<g class="sign ${sign} on-paper">${SIGNS[sign].shape}</g>`, SIGNS[sign].words))}
    ${item(html`<g class="request"><rect x="-14" y="-9" width="28" height="18" rx="3" /><text x="-10" y="3">3</text></g>`, 'the process answers request 3')}
    ${item(html`<path class="fork" d="M0 -9 V9" />`, 'fork')}
  </ul>`;
}

// The signs of what a process does to a connection: a shape for each, drawn around 0,0, and its words.

import type { TimelineEvent } from '../../result.ts';
import { html, type Html } from '../html.ts';
import type { Mark } from './lanes.ts';

export type Sign = 'query' | 'close' | 'error' | 'foreign' | 'discard' | 'open';

export const SIGNS: Readonly<Record<Sign, { readonly words: string; readonly shape: Html }>> = {
  open: { words: 'opens it', shape: html`<path d="M-3 -5 L4 0 L-3 5 Z" />` },
  query: { words: 'queries on it', shape: html`<path d="M0 -5 V5" />` },
  close: {
    words: 'closes it: Terminate is sent',
    shape: html`<path class="halo" d="M-5 -5 L5 5 M-5 5 L5 -5" /><path d="M-5 -5 L5 5 M-5 5 L5 -5" />`,
  },
  discard: { words: 'discards it: nothing is sent', shape: html`<circle r="5" />` },
  error: { words: 'fails on it', shape: html`<path d="M0 -7 L7 0 L0 7 L-7 0 Z" />` },
  foreign: { words: 'reads another’s answer on it', shape: html`<path d="M-7 -6 H7 L0 7 Z" />` },
};

export function isSign(what: TimelineEvent['what']): what is Sign {
  return what in SIGNS;
}

/** The sign at a place, with the number of its request beside it. */
export function signAt({ event, x, y, dead }: Mark): Html | undefined {
  const { what, request, text } = event;
  if (!isSign(what)) return undefined;
  const numbered = what !== 'query' && what !== 'open' && request !== null;
  const when = request === null ? 'outside of a request' : `in request ${request}`;
  const title = `${what} of connection ${event.connection ?? '?'} ${when}, at ${event.at.toFixed(1)} ms${text === undefined ? '' : `: ${text}`}`;
  return html`<g class="sign ${what}${dead ? ' on-paper' : ''}" transform="translate(${x} ${y})">
    <title>${title}</title>
    ${SIGNS[what].shape} ${numbered ? html`<text x="8" y="4">${request}</text>` : undefined}
  </g>`;
}

// timeline(): the lives of connections as an SVG, a bar for each.

import type { Life } from './connection-lives.ts';
import { html, type Html } from './html.ts';

const ROW = 40; // px
const TOP = 26;
const TICKS = 4;

/** The lives one below the other, over the time from the first opening to `now` (ms since 1970), the last one on top. */
export function timeline(lives: readonly Life[], now: number): Html {
  const first = Math.min(now - 1000, ...lives.map(({ openedAt }) => openedAt));
  const at = (time: number): string => `${(1 + (98 * (time - first)) / (now - first)).toFixed(2)}%`;
  const rows = lives.toReversed().map((life, index) => bar(life, TOP + index * ROW, now, at));
  const height = TOP + lives.length * ROW;
  const label = `Lives of ${lives.length} database connections in the last ${seconds(now - first)}`;
  return html`<svg role="img" aria-label="${label}" height="${height}">${ticks(first, now, height, at)} ${rows}</svg>`;
}

/** Percentages of the width and pixels of the height: the drawing grows with the page, its letters do not. */
function bar(life: Life, top: number, now: number, at: (time: number) => string): Html {
  const { backendPid, openedAt, closedAt, count, uses } = life;
  const end = closedAt ?? now;
  const state = closedAt === undefined ? 'open' : seconds(closedAt - openedAt);
  const by = uses.length === 0 ? '' : ` · ${uses.at(-1)?.request}`;
  const y = top + 28;
  const line = (kind: 'life' | 'use', from: number, to: number, title: string): Html =>
    html`<line class="${kind}" x1="${at(from)}" x2="${at(to)}" y1="${y}" y2="${y}"><title>${title}</title></line>`;
  const text = `${backendPid} · ${state} · ${plural(count, 'use')}${by}`;
  return html`<text x="1%" y="${top + 16}">${text}</text>
    ${line('life', openedAt, end, `backend ${backendPid}, ${state}`)}
    ${uses.map(({ request, from, until }) => line('use', from, Math.min(until ?? end, end), request))}
    ${closedAt === undefined ? html`<circle class="open" cx="${at(now)}" cy="${y}" r="5" />` : undefined}`;
}

function ticks(first: number, now: number, height: number, at: (time: number) => string): Html[] {
  return Array.from({ length: TICKS + 1 }, (_, index) => {
    const x = at(first + ((now - first) * index) / TICKS);
    const ago = ((now - first) * (TICKS - index)) / TICKS;
    const anchor = index === 0 ? 'start' : index === TICKS ? 'end' : 'middle';
    const text = ago === 0 ? 'now' : `-${seconds(ago)}`;
    return html`<line class="grid" x1="${x}" x2="${x}" y1="18" y2="${height}" />
      <text class="tick" x="${x}" y="13" text-anchor="${anchor}">${text}</text>`;
  });
}

function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

function plural(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

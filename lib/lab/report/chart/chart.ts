// A small chart as SVG: points, the law as a line, words for who cannot see it.

import { html, type Html } from '../html.ts';

const WIDTH = 460;
const HEIGHT = 270;
const LEFT = 44;
const RIGHT = 24;
const TOP = 30;
const BOTTOM = 46;
const DODGE = 10; // px from one fix to the next, and from the middle, where the measured point is

export interface Point {
  /** `measured`, `django`, or a fix's place among the fixes. */
  readonly kind: 'measured' | 'django' | { readonly fix: number; readonly of: number };
  /** Where, from 0 to 1. */
  readonly x: number;
  readonly y: number;
  readonly title: string;
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  /** The figures in words. */
  readonly description: string;
  readonly xName: string;
  readonly xTicks: readonly { readonly x: number; readonly label: string }[];
  readonly points: readonly Point[];
  /** The law, from left to right; drawn with two points or more. */
  readonly law: readonly { readonly x: number; readonly y: number }[];
}

export function chart({ id, title, description, xName, xTicks, points, law }: Chart): Html {
  // What fixes fail may be many times more than the fault: it must not flatten the law.
  const scaled = points.filter(({ kind }) => typeof kind === 'string');
  const top = Math.max(1, ...[...scaled, ...law].map(({ y }) => y));
  const step = niceStep(top);
  const most = Math.ceil(top / step) * step;
  const xOf = (x: number): number => LEFT + x * (WIDTH - LEFT - RIGHT);
  const yOf = (y: number): number => HEIGHT - BOTTOM - (y / most) * (HEIGHT - TOP - BOTTOM);
  const yTicks = Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step);
  const line = law.map(({ x, y }, index) => html`${index === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(y)} `);
  return html`<figure class="chart">
    <svg role="img" aria-labelledby="${id}-title ${id}-desc" viewBox="0 0 ${WIDTH} ${HEIGHT}">
      <title id="${id}-title">${title}</title>
      <desc id="${id}-desc">${description}</desc>
      ${yTicks.map((y) => html`<path class="grid" d="M${LEFT} ${yOf(y)} H${WIDTH - RIGHT}" /><text class="tick" x="${LEFT - 8}" y="${yOf(y) + 4}" text-anchor="end">${y}</text>`)}
      ${xTicks.map(({ x, label }) => html`<text class="tick" x="${xOf(x)}" y="${HEIGHT - BOTTOM + 22}" text-anchor="middle">${label}</text>`)}
      <text class="tick" x="${xOf(0.5)}" y="${HEIGHT - 6}" text-anchor="middle">${xName}</text>
      ${law.length < 2 ? undefined : html`<path class="law" d="${line}" />`}
      ${points.map((point) => drawn(point, xOf(point.x), yOf(Math.min(point.y, most)), point.y > most))}
    </svg>
    <figcaption>${title}</figcaption>
  </figure>`;
}

/** Measured: a disc with its number; Django: a rhomb around it; a fix: a square beside others of its place, or an arrow beyond the top. */
function drawn({ kind, title, y: value }: Point, x: number, y: number, beyond: boolean): Html {
  if (kind === 'measured') {
    return html`<g class="point measured">
      <title>${title}</title>
      <circle cx="${x}" cy="${y}" r="4.5" />
      <text x="${x}" y="${y - 12}" text-anchor="middle">${value}</text>
    </g>`;
  }
  if (kind === 'django') {
    return html`<g class="point django">
      <title>${title}</title>
      <path d="M${x} ${y - 10} l10 10 l-10 10 l-10 -10 Z" />
    </g>`;
  }
  const half = Math.ceil(kind.of / 2);
  const left = x + (kind.fix < half ? kind.fix - half : kind.fix - half + 1) * DODGE - 3;
  if (beyond) {
    return html`<g class="point fix failing beyond">
      <title>${title}</title>
      <path d="M${left - 1} ${y - 3} h8 l-4 -7 Z" />
      <text x="${left + 3}" y="${y - 14}" text-anchor="middle">${value}</text>
    </g>`;
  }
  return html`<g class="${value === 0 ? 'point fix' : 'point fix failing'}">
    <title>${title}</title>
    <rect x="${left}" y="${y - 3}" width="6" height="6" />
  </g>`;
}

/** 1, 2 or 5 times a power of ten: at most six lines. */
function niceStep(top: number): number {
  const rough = top / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough) ?? 10;
  return Math.max(1, factor * power);
}

// A picture as SVG: who held which connection over time.

import type { Timeline } from '../../result.ts';
import { html, type Html } from '../html.ts';
import { axisOf, type Axis } from './axis.ts';
import { deathOf, firstClose } from './holds.ts';
import { BAR, lanesOf, type Band, type Bar, type Lane } from './lanes.ts';
import { signAt } from './signs.ts';

const GUTTER = 112; // px: the names of the lanes
const TOP = 24; // px: the axis
const COLORS = 8; // of the style's; the number tells two of the same apart
const NUMBER_FITS = 12; // px

/** `id` makes its ids the page's only ones. */
export function drawing(timeline: Timeline, id: string, title: string, description: string): Html {
  const axis = axisOf(timeline);
  const lanes = lanesOf(timeline, axis, TOP);
  const height = lanes.reduce((sum, lane) => sum + lane.height, TOP) + 4;
  const width = GUTTER + axis.width + 2;
  return html`<div class="scroll picture" role="region" aria-label="${title}" tabindex="0">
    <div class="names" aria-hidden="true" style="height:${height}px">
      <span class="dim" style="top:3px">ms</span>
      ${lanes.map((lane) => html`<span style="top:${lane.top + 4}px">${lane.name}<small>${lane.detail}</small></span>`)}
    </div>
    <svg
      role="img"
      aria-labelledby="${id}-title ${id}-desc"
      width="${width}"
      height="${height}"
      viewBox="0 0 ${width} ${height}"
    >
      <title id="${id}-title">${title}</title>
      <desc id="${id}-desc">${description}</desc>
      ${lanes.map((lane, index) => ground(lane, width, index))}
      <g transform="translate(${GUTTER} 0)">
        ${axisLine(axis, height)} ${lanes.map(({ bands }, index) => bands.map((band) => bandAt(band, lanes[index])))}
        ${links(timeline, axis, lanes)} ${lanes.map(({ bars }) => bars.map(barAt))}
        ${lanes.map(({ marks }) => marks.map(signAt))}
      </g>
    </svg>
  </div>`;
}

function ground({ name, detail, top, height, pid }: Lane, width: number, index: number): Html {
  const kind = pid === null ? 'server' : index % 2 === 0 ? 'even' : 'odd';
  return html`<rect class="lane ${kind}" x="0" y="${top}" width="${width}" height="${height}" />
    <text class="name" x="6" y="${top + 17}">${name}</text>
    <text class="detail" x="6" y="${top + 31}">${detail}</text>`;
}

function axisLine({ ticks, breaks, width }: Axis, height: number): Html {
  return html`<text class="tick" x="${6 - GUTTER}" y="15">ms</text>
    <path class="axis" d="M0 ${TOP - 0.5} H${width}" />
    ${ticks.map(
      ({ x, label }) =>
        html`<path class="grid" d="M${x} ${TOP - 5} V${height - 4}" />
          <text class="tick" x="${x}" y="15" text-anchor="middle">${label}</text>`,
    )}
    ${breaks.map((x) => html`<path class="break" d="M${x - 5} ${TOP + 4} l4 -8 M${x + 1} ${TOP + 4} l4 -8"><title>Time without events</title></path>`)}`;
}

function bandAt({ request, from, to, failed }: Band, lane: Lane | undefined): Html | undefined {
  if (lane === undefined) return undefined;
  const { top, height } = lane;
  return html`<g class="${failed ? 'request failed' : 'request'}">
    <rect x="${from}" y="${top + 1}" width="${to - from}" height="${height - 2}" rx="3" />
    <text x="${from + 4}" y="${top + 13}">${request}${failed ? ' error' : ''}</text>
  </g>`;
}

function barAt({ connection, from, to, dead, middle, title }: Bar): Html {
  const y = middle - BAR / 2;
  const color = connection === null ? 'none' : String((connection - 1) % COLORS);
  return html`<g class="bar c-${color}">
    <title>${title}</title>
    ${dead > from ? html`<rect class="alive" x="${from}" y="${y}" width="${dead - from}" height="${BAR}" rx="3" />` : undefined}
    ${dead < to ? html`<rect class="dead" x="${dead}" y="${y + 1}" width="${to - dead}" height="${BAR - 2}" rx="3" />` : undefined}
    ${connection !== null && to - from >= NUMBER_FITS ? numberAt(connection, dead - from >= NUMBER_FITS, from + 5, middle + 4) : undefined}
  </g>`;
}

function numberAt(connection: number, alive: boolean, x: number, y: number): Html {
  return html`<text class="${alive ? 'number' : 'number hollow'}" x="${x}" y="${y}">${connection}</text>`;
}

/** From a process that ends a session down to the server, so that the eye finds the two ends of one event. */
function links(timeline: Timeline, axis: Axis, lanes: readonly Lane[]): Html {
  const servers = lanes.filter(({ pid }) => pid === null);
  const lines = timeline.connections.map((connection) => {
    const close = firstClose(timeline, connection.id);
    if (close === undefined || deathOf(timeline, connection) !== close) return undefined;
    const at = lanes.flatMap(({ marks }) => marks).find(({ event }) => event === close);
    const end = servers.flatMap(({ bars }) => bars).find((bar) => bar.connection === connection.id);
    if (at === undefined || end === undefined) return undefined;
    return html`<path class="link c-${(connection.id - 1) % COLORS}" d="M${at.x} ${at.y} V${end.middle}" />`;
  });
  return html`${lines} ${forks(timeline, axis, lanes)}`;
}

function forks(timeline: Timeline, axis: Axis, lanes: readonly Lane[]): readonly Html[] {
  const [master] = lanes;
  return timeline.events
    .filter(({ what }) => what === 'fork')
    .flatMap((fork) => {
      const child = lanes.find(({ pid }) => pid === fork.pid);
      if (master === undefined || child === undefined || child === master) return [];
      const x = axis.ofEvent(fork);
      const title = `fork of ${child.name}`;
      return [
        html`<g class="fork">
          <title>${title}</title>
          <path d="M${x} ${master.top + 20} V${child.top + 26}" />
        </g>`,
      ];
    });
}

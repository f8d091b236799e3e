// The axis of a picture: it steps with events, since a boot takes half a second and then a request three milliseconds.

import type { Timeline, TimelineEvent } from '../../result.ts';

const TOGETHER = 1; // ms: events of different processes that share a step
const PAUSE = 50; // ms: a longer one is marked as a break of the axis
const NARROW = 11; // px, of a step
const WIDE = 27; // px: of one whose sign has a number beside it
const BREAK = 22; // px
const LEAD = 12; // px: before the first event, room for half its tick
const TAIL = 46; // px: after the last event
const LABEL = 34; // px: the least from one tick to the next
const NARROW_EVENTS: ReadonlySet<TimelineEvent['what']> = new Set(['begin', 'query', 'end']);

export interface Axis {
  /** px */
  readonly width: number;
  /** In ms, of what the axis shows. Later is the right edge. */
  readonly from: number;
  readonly to: number;
  /** Any time's place, in px: between two events in proportion. */
  at(time: number): number;
  /** An event's own, which is exact where many events have one time. */
  ofEvent(event: TimelineEvent): number;
  readonly ticks: readonly { readonly x: number; readonly label: string }[];
  /** Middles of the breaks. */
  readonly breaks: readonly number[];
}

interface Step {
  readonly time: number;
  readonly pids: Set<number>;
  readonly events: TimelineEvent[];
}

interface Place {
  readonly time: number;
  readonly x: number;
}

export function axisOf({ events, processes }: Timeline): Axis {
  const from = Math.min(...processes.map((process) => process.from), ...events.map(({ at }) => at), Infinity);
  const start = Number.isFinite(from) ? from : 0;
  const places: Place[] = [{ time: start, x: 0 }];
  const breaks: number[] = [];
  const xs = new Map<TimelineEvent, number>();
  let x = LEAD;
  let last = start;
  for (const step of stepsOf(events)) {
    if (step.time - last > PAUSE) {
      breaks.push(x + BREAK / 2);
      x += BREAK;
    }
    const width = step.events.every(({ what }) => NARROW_EVENTS.has(what)) ? NARROW : WIDE;
    for (const event of step.events) xs.set(event, x + NARROW / 2);
    places.push({ time: step.time, x: x + NARROW / 2 });
    x += width;
    last = step.time;
  }
  const width = x + TAIL;
  // What a server tells of the last events comes a little after them.
  places.push({ time: last + PAUSE, x: width - TAIL / 4 });
  const at = (time: number): number => (time > last + PAUSE ? width : between(places, time));
  const ofEvent = (event: TimelineEvent): number => xs.get(event) ?? at(event.at);
  return { width, from: start, to: last + PAUSE, at, ofEvent, ticks: ticksOf(places.slice(1, -1)), breaks };
}

/** One process's events have a step each, in their order. */
function stepsOf(events: readonly TimelineEvent[]): readonly Step[] {
  const steps: Step[] = [];
  for (const event of events.toSorted((one, other) => one.at - other.at)) {
    const step = steps.at(-1);
    if (step !== undefined && event.at - step.time <= TOGETHER && !step.pids.has(event.pid)) {
      step.pids.add(event.pid);
      step.events.push(event);
    } else {
      steps.push({ time: event.at, pids: new Set([event.pid]), events: [event] });
    }
  }
  return steps;
}

function between(places: readonly Place[], time: number): number {
  const index = places.findLastIndex((place) => place.time <= time);
  const before = places[index];
  const after = places[index + 1];
  if (before === undefined) return 0;
  if (after === undefined || after.time <= before.time) return before.x;
  return before.x + ((after.x - before.x) * (time - before.time)) / (after.time - before.time);
}

function ticksOf(places: readonly Place[]): Axis['ticks'] {
  const ticks: { x: number; label: string }[] = [];
  for (const { time, x } of places) {
    const last = ticks.at(-1);
    const label = String(Math.round(time));
    if (last === undefined || (x - last.x >= LABEL && label !== last.label)) ticks.push({ x, label });
  }
  return ticks;
}

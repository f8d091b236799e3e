// What happened in a picture, in two or three sentences.

import type { Timeline, TimelineConnection, TimelineEvent } from '../../result.ts';
import { count, list } from '../words.ts';
import { deathOf, firstClose, holdsOf, sessionOf, timeOf } from './holds.ts';
import { roleOf } from './lanes.ts';

/** `refused`: it ended where it was to fork. */
export function story(timeline: Timeline, refused: boolean): readonly string[] {
  if (refused) return refusal(timeline);
  return [beginning(timeline), discards(timeline) || firstEnd(timeline), outcome(timeline), foreign(timeline)].filter(
    (sentence) => sentence !== '',
  );
}

function refusal({ connections }: Timeline): readonly string[] {
  if (connections.length === 0) return ['It ended before it served anybody.'];
  const were = connections.length === 1 ? 'was' : 'were';
  return [`${connectionsOf(connections)} ${were} open when it was to fork. It ended instead, and nobody had a copy.`];
}

function beginning({ processes, connections }: Timeline): string {
  const inherited = connections.filter(({ inheritedBy }) => inheritedBy.length > 0);
  if (inherited.length > 0) {
    const heirs = new Set(inherited.flatMap(({ inheritedBy }) => inheritedBy)).size;
    const children = heirs === 1 ? '1 child began' : `${heirs} children began`;
    return `${connectionsOf(inherited)} ${inherited.length === 1 ? 'was' : 'were'} open at the fork: ${children} with a copy.`;
  }
  if (connections.length === 0) return '';
  if (processes.length === 1) return 'One process has every connection, so it knows when one is closed.';
  return 'Nothing was open at a fork: each process opened its own connections.';
}

function discards(timeline: Timeline): string {
  const events = timeline.events.filter(({ what }) => what === 'discard');
  const [first] = events;
  if (first === undefined) return '';
  const who = unique(events.map(({ pid }) => pid));
  const connections = timeline.connections.filter(({ id }) => events.some(({ connection }) => connection === id));
  const outlived = connections.filter((connection) => {
    const death = deathOf(timeline, connection);
    return (
      sessionOf(timeline, connection) !== undefined && (death === null || timeOf(death) > (events.at(-1)?.at ?? 0))
    );
  });
  const copies = who.length === 1 ? 'its copy' : 'their copies';
  const lived =
    outlived.length === 0 ? '' : `, and ${outlived.length === 1 ? 'its session' : 'their sessions'} lived on`;
  return `${sentenceCase(processesOf(timeline, who))} discarded ${copies} of ${connectionsOf(connections).toLowerCase()}: nothing was sent${lived}.`;
}

/** The close that matters: the first one of a connection of which others have a copy. */
function firstEnd(timeline: Timeline): string {
  const closes = timeline.connections
    .filter(({ inheritedBy }) => inheritedBy.length > 0)
    .map(({ id }) => firstClose(timeline, id))
    .filter((close) => close !== undefined);
  const [close] = closes.toSorted((one, other) => one.at - other.at);
  if (close === undefined) return '';
  const holders = holdsOf(timeline)
    .filter(({ connection, pid }) => connection === close.connection && pid !== close.pid)
    .filter(({ from, to }) => timeOf(from) <= close.at && (to === null || timeOf(to) > close.at))
    .map(({ pid }) => pid);
  const closer = processesOf(timeline, [close.pid]);
  const used = timeline.events.some(
    (event) =>
      event.what === 'query' &&
      event.pid === close.pid &&
      event.connection === close.connection &&
      event.at <= close.at,
  );
  const answered =
    close.request === null
      ? `${sentenceCase(closer)} closed connection ${close.connection}`
      : used
        ? `Request ${close.request} was answered by ${closer}; its request_finished closed connection ${close.connection}`
        : `In request ${close.request} ${closer} closed its copy of connection ${close.connection} before anything was asked on it`;
  return `${answered}${holders.length === 0 ? '' : `, which ${processesOf(timeline, holders)} still held`}.`;
}

function outcome(timeline: Timeline): string {
  const errors = timeline.events.filter(({ what }) => what === 'error');
  if (errors.length === 0) {
    if (timeline.shown === 0) return '';
    const opened = timeline.events.filter(({ what, request }) => what === 'open' && request !== null).length;
    return `No error in ${requests(timeline.shown)}, for which ${count(opened, 'connection')} ${opened === 1 ? 'was' : 'were'} opened.`;
  }
  const failing = unique(errors.map(({ request }) => request).filter((request) => request !== null));
  const where =
    failing.length === 0 ? 'Outside of requests' : `${failing.length === 1 ? 'Request' : 'Requests'} ${list(failing)}`;
  const who = processesOf(timeline, unique(errors.map(({ pid }) => pid)));
  const texts = unique(errors.map(({ text }) => firstLine(text)).filter((text) => text !== ''));
  const rest = texts.length > 2 ? [...texts.slice(0, 2), `${texts.length - 2} more`] : texts;
  const words = `${where} met an error in ${who}`;
  return texts.length === 0 ? `${words}.` : `${words}: “${rest.join('”, “')}”.`;
}

function foreign(timeline: Timeline): string {
  const events = timeline.events.filter(({ what }) => what === 'foreign');
  if (events.length === 0) return '';
  return `${sentenceCase(processesOf(timeline, unique(events.map(({ pid }) => pid))))} read answers to somebody else’s query, ${events.length === 1 ? 'once' : `${events.length} times`}.`;
}

function firstLine(text: TimelineEvent['text']): string {
  return text?.split('\n')[0]?.trim() ?? '';
}

function requests(shown: number): string {
  return shown === 1 ? 'the one request' : `the ${shown} requests`;
}

function connectionsOf(connections: readonly TimelineConnection[]): string {
  return `${connections.length === 1 ? 'Connection' : 'Connections'} ${list(connections.map(({ id }) => id))}`;
}

/** `the master and children 4712 and 4713`. */
function processesOf(timeline: Timeline, pids: readonly number[]): string {
  const known = timeline.processes.filter(({ pid }) => pids.includes(pid));
  const others = known.filter((process) => ['master', 'process'].includes(roleOf(timeline, process)));
  const [first, ...more] = known.filter((process) => !others.includes(process));
  const named = others.map((process) => `the ${roleOf(timeline, process)}`);
  if (first === undefined) return list(named);
  const role = roleOf(timeline, first);
  const plural = role === 'child' ? 'children' : `${role}s`;
  return list([...named, `${more.length === 0 ? role : plural} ${list([first, ...more].map(({ pid }) => pid))}`]);
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function unique<Item>(items: readonly Item[]): readonly Item[] {
  return [...new Set(items)];
}

// The picture's data: who held which connection, when, from the journal and the servers' logs. Pure.

import type { Timeline, TimelineConnection, TimelineEvent, TimelineProcess } from '../result.ts';
import type { JournalLine } from '../site/index.ts';
import type { Run } from './run.ts';
import type { Session } from './server-log.ts';

/** `requests`: those up to this number are in it. */
export function timelineOf({ journal, startedAt }: Run, sessions: readonly Session[], requests: number): Timeline {
  const lines = upTo(journal, requests).toSorted((a, b) => a.at - b.at);
  const end = lines.at(-1)?.at ?? startedAt;
  const ids = new Map<string, number>();
  for (const { event, connection } of lines) {
    if (event === 'open' && connection !== undefined) ids.set(connection, ids.size + 1);
  }
  const connections = lines
    .filter(({ event }) => event === 'open')
    .map((open) => connectionOf(open, lines, sessions, ids));
  const ms = (at: number): number => Math.round((at - startedAt) * 1000) / 1000;
  return {
    processes: processesOf(lines).map(({ from, to, ...process }) => ({
      ...process,
      from: ms(from),
      ...(to !== undefined && { to: ms(to) }),
    })),
    connections,
    sessions: sessions
      .filter(({ from }) => from <= end)
      .map(({ server, id, from, to }) => ({
        server,
        id,
        from: ms(from),
        to: to === null || to > end ? null : ms(to),
      })),
    events: eventsOf(lines, ids).map(({ at, ...event }) => ({ at: ms(at), ...event })),
    shown: Math.max(0, ...lines.map(({ request }) => request ?? 0)),
  };
}

/** All that came before the request behind the last one that is shown. */
function upTo(journal: readonly JournalLine[], requests: number): JournalLine[] {
  const next = journal.find(({ event, request }) => event === 'begin' && (request ?? 0) > requests);
  return journal.filter(({ at, request }) => (request ?? 0) <= requests && (next === undefined || at < next.at));
}

function processesOf(lines: readonly JournalLine[]): TimelineProcess[] {
  const processes = new Map<number, TimelineProcess>();
  const begun = new Set(lines.filter(({ event }) => event === 'begin').map(({ pid }) => pid));
  for (const { at, pid, event } of lines) {
    if (processes.has(pid)) continue;
    // Who imports the site and serves nothing is the master, whose copies serve.
    const forks = event === 'import' && !begun.has(pid) && lines.some((line) => line.event === 'fork');
    const left = lines.find((line) => line.event === 'leave' && line.pid === pid);
    processes.set(pid, {
      pid,
      role: forks ? 'master' : 'worker',
      from: at,
      ...(left !== undefined && { to: left.at }),
    });
  }
  return [...processes.values()];
}

function connectionOf(
  { pid, connection = '', port, backend }: JournalLine,
  lines: readonly JournalLine[],
  sessions: readonly Session[],
  ids: ReadonlyMap<string, number>,
): TimelineConnection {
  const session = sessions.findLast(
    (known) => known.port === port || (known.server === 'postgresql' && known.id === backend),
  );
  const copies = lines.filter((line) => line.event === 'fork' && line.connection === connection);
  return {
    id: ids.get(connection) ?? 0,
    openedBy: pid,
    session: session?.id ?? null,
    inheritedBy: copies.map((line) => line.pid),
  };
}

function eventsOf(lines: readonly JournalLine[], ids: ReadonlyMap<string, number>): TimelineEvent[] {
  const last = new Map<number, string>(); // the connection that a process has used last
  const events: TimelineEvent[] = [];
  for (const { at, pid, event, connection, request, error } of lines) {
    if (event === 'import' || event === 'serve' || event === 'leave') continue;
    if (connection !== undefined) last.set(pid, connection);
    const about = connection ?? (event === 'foreign' ? last.get(pid) : undefined);
    events.push({
      at,
      pid,
      what: event,
      connection: about === undefined ? null : (ids.get(about) ?? null),
      request: request ?? null,
      ...(error !== undefined && { text: error }),
    });
  }
  return events;
}

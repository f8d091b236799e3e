// In how many processes a connection is, as Linux tells it: the proof that it is shared, or that it is not (proc(5)).

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { JournalLine } from '../site/index.ts';
import type { Session } from './server-log.ts';

/** Of the connection that was opened at import. Null where there is none, or where nobody can tell. */
export function copiesOf(journal: readonly JournalLine[], sessions: readonly Session[]): number | null {
  const open = journal.find(({ event, request }) => event === 'open' && request === undefined);
  const port = open?.port ?? sessions.find(({ id }) => id === open?.backend)?.port;
  const sockets = port === undefined ? [] : socketsAt(port);
  if (sockets.length === 0) return null;
  const pids = [...new Set(journal.map(({ pid }) => pid))];
  return Math.max(...sockets.map((socket) => pids.filter((pid) => has(pid, socket)).length));
}

/** `socket:[INODE]` of those that have this port at their own end: to another server it may be taken twice. None where it was closed. */
function socketsAt(port: number): string[] {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  try {
    const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1);
    const columns = lines.map((line) => line.trim().split(/\s+/)).filter(([, local]) => local?.endsWith(end) === true);
    const inodes = columns.map(({ 9: inode = '0' }) => inode);
    return inodes.filter((inode) => inode !== '0').map((inode) => `socket:[${inode}]`); // 0: TIME_WAIT, nobody's
  } catch {
    return [];
  }
}

function has(pid: number, socket: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === socket;
      } catch {
        return false; // closed since
      }
    });
  } catch {
    return false; // it has ended
  }
}

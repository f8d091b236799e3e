// Legacy connections with a journal that specs can read, and what the kernel has for a socket.

import { readFileSync, rmSync } from 'node:fs';
import { connectBy } from '../../../lib/lab/site/drivers/index.ts';
import type { JournalLine } from '../../../lib/lab/site/index.ts';
import { Journal } from '../../../lib/lab/site/journal.ts';
import { LegacyConnection, type LegacyConnectionOptions } from '../../../lib/lab/site/legacy-connection.ts';
import type { Driver } from '../../../lib/lab/result.ts';
import { temporaryFolder } from '../../support/temporary.ts';

export interface SpecJournal {
  readonly path: string;
  /** Its lines so far. */
  lines(): JournalLine[];
  /** Their events, in a row. */
  events(): string;
}

/** A journal that is empty before each test. Call it where hooks may be registered. */
export function specJournal(): SpecJournal {
  const folder = temporaryFolder();
  beforeEach(() => rmSync(folder.join('journal'), { force: true }));
  const lines = (): JournalLine[] =>
    readFileSync(folder.join('journal'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as JournalLine);
  return {
    get path() {
      return folder.join('journal');
    },
    lines,
    events: () =>
      lines()
        .map(({ event }) => event)
        .join(' '),
  };
}

/** Connections that are closed after the test, whatever has become of them. Call it where hooks may be registered. */
export function legacyConnections(
  journal: SpecJournal,
  driver: Driver,
  native?: string,
): (url: string, options?: Partial<LegacyConnectionOptions>) => LegacyConnection {
  const made: LegacyConnection[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map((connection) => connection.close().catch(() => {})));
  });
  return (url, options = {}) => {
    const connect = connectBy(driver, native);
    const connection = new LegacyConnection({
      url,
      connect,
      strictClose: false,
      journal: new Journal(journal.path),
      ...options,
    });
    made.push(connection);
    return connection;
  };
}

/**
 * Bytes that have come for a socket and that nobody has read (proc(5), rx_queue). `remote`: the server's port; others may be
 * asked from the same `local` one.
 */
export function unread(local: number, remote: number): number {
  const address = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/self/net/tcp', 'latin1')
    .split('\n')
    .map((row) => row.trim().split(/\s+/));
  const row = rows.find((columns) => columns[1] === address(local) && columns[2] === address(remote));
  return Number.parseInt(row?.[4]?.split(':')[1] ?? '0', 16);
}

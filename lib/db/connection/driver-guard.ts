// Where pg would end the process, wait for ever, or ask for what is not there.

import type { Socket } from 'node:net';
import type pg from 'pg';

/** What is used of pg that its types do not tell. */
interface Internals {
  connection: {
    attachListeners(stream: Socket): void;
    on(event: 'closeComplete', listener: () => void): void;
    /** Texts by name. */
    parsedStatements: Record<string, string>;
  };
  _getActiveQuery(): { name?: string } | null;
}

/**
 * Bytes that are no answer end the connection, not the process. The server's end of it is the end. A statement whose parameters could not
 * be written is not taken for prepared.
 */
export function guardDriver(client: pg.Client): void {
  const internals = client as unknown as Internals;
  const { connection } = internals;
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    attach(stream);
    const [read] = stream.listeners('data') as [(bytes: Buffer) => void];
    stream.off('data', read).on('data', (bytes: Buffer) => {
      try {
        read(bytes);
      } catch (cause) {
        stream.destroy(new Error(`Received unexpected bytes: ${(cause as Error).message}`, { cause }));
      }
    });
    // Nobody answers any more what may still be on its way, and it may be long before the system gives that up.
    stream.once('end', () => stream.destroy());
  };
  // Of a statement whose parameters could not be written.
  connection.on('closeComplete', () => {
    const name = internals._getActiveQuery()?.name;
    if (name !== undefined) delete connection.parsedStatements[name];
  });
}

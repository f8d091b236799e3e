// The driver's client for a connection: pg's, with our settings in its words.

import type { Socket } from 'node:net';
import pg from 'pg';
import { connectError } from '../errors/index.ts';
import type { ResolvedSettings } from '../settings.ts';
import { driverTypes } from '../type-parsers.ts';

const KEEP_ALIVE = 60_000; // ms of silence before TCP asks whether the server is there: the system's two hours are long for LISTEN

/** A client that is not connected yet, on a socket of ours. Throws OperationalError where what its URL names cannot be read: certificates. */
export function createClient(settings: ResolvedSettings, socket: Socket): pg.Client {
  try {
    const client = new pg.Client(clientConfig(settings, socket));
    if (settings.password !== undefined) Object.assign(client, { password: settings.password }); // pg has the URL's, if only ''
    guard(client as unknown as Internals);
    return client;
  } catch (error) {
    throw connectError(error, 'the database server');
  }
}

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

/** Where pg would end the process, wait for ever, or ask for what is not there. */
function guard(client: Internals): void {
  const { connection } = client;
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
    const name = client._getActiveQuery()?.name;
    if (name !== undefined) delete connection.parsedStatements[name];
  });
}

function clientConfig(settings: ResolvedSettings, socket: Socket): pg.ClientConfig {
  const { url, host, port, user, password, database, ssl, applicationName, connectTimeout, sessionSettings, types } =
    settings;
  const options = Object.entries(sessionSettings).map(([key, value]) => `-c ${key}=${escapeOption(String(value))}`);
  return {
    ...(url !== undefined && { connectionString: url }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    ...(ssl !== undefined && { ssl }),
    ...(options.length > 0 && { options: options.join(' ') }),
    fallback_application_name: typeof applicationName === 'function' ? applicationName() : applicationName,
    connectionTimeoutMillis: connectTimeout,
    types: driverTypes(types),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
    stream: () => socket,
  };
}

/** A value within the startup parameter `options`: blanks end it there. */
function escapeOption(value: string): string {
  return value.replace(/[\\\s]/g, (character) => `\\${character}`);
}

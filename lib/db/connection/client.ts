// The driver's client for a connection: pg's, with our settings in its words.

import type { Socket } from 'node:net';
import pg from 'pg';
import { connectError } from '../errors/index.ts';
import { guardDriver } from './driver-guard.ts';
import type { ResolvedSettings } from '../settings.ts';
import { driverTypes } from '../type-parsers.ts';

const KEEP_ALIVE = 60_000; // ms of silence before TCP asks whether the server is there: the system's two hours are long for LISTEN

/** A client that is not connected yet, on a socket of ours. Throws OperationalError where what its URL names cannot be read: certificates. */
export function createClient(settings: ResolvedSettings, socket: Socket): pg.Client {
  try {
    const client = new pg.Client(clientConfig(settings, socket));
    if (settings.password !== undefined) Object.assign(client, { password: settings.password }); // pg has the URL's, if only ''
    guardDriver(client);
    return client;
  } catch (error) {
    throw connectError(error, 'the database server');
  }
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

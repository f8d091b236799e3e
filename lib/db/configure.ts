// configureDatabases(): which databases an application has.

import { connections, type ConfigureOptions, type Connections, type Databases } from './connections.ts';
import { bindConnections } from './receivers.ts';

/**
 * Say which databases there are, and bind their connections to the signals of requests, workers and forks. Once, where the application
 * is made. What `default` does not say of where it is comes from DATABASE_URL. Nothing is opened. Throws TypeError for settings that
 * are wrong.
 */
export function configureDatabases(databases: Databases = {}, options: ConfigureOptions = {}): Connections {
  connections.configure(databases, options);
  bindConnections(connections);
  return connections;
}

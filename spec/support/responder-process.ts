// spec/programs/responder.ts as a process of its own: what crashes it ends it, and what it keeps can be measured.

import { join } from 'node:path';
import { SpecProcess } from './process.ts';
import { RawClient } from './raw-client.ts';
import { request } from './raw-records.ts';
import { temporaryFolder } from './temporary.ts';

const PROGRAM = join(__dirname, '../programs/responder.ts');

/** Bytes after garbage collection, and what is active besides the question itself. */
export interface Stats {
  rss: number;
  /** JavaScript heap and buffers. */
  used: number;
  requests: number;
  connections: number;
}

export interface ResponderProcess {
  readonly process: SpecProcess;
  connect: () => Promise<RawClient>;
  stats: () => Promise<Stats>;
}

/** One process for the tests of the enclosing `describe` or file. `options`: the server's. */
export function responderProcess(options: object = {}): ResponderProcess {
  const folder = temporaryFolder();
  const clients: RawClient[] = [];
  let child: SpecProcess | undefined;
  const path = (): string => folder.join('responder.sock');
  beforeAll(async () => {
    const flags = ['--expose-gc', '--max-semi-space-size=1', '--import', 'tsx'];
    child = new SpecProcess(process.execPath, [...flags, PROGRAM, JSON.stringify({ listen: path(), ...options })]);
    await child.says(/ready/);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });
  afterAll(async () => {
    await child?.stop('SIGKILL');
  });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(path());
    clients.push(client);
    return client;
  };
  return {
    get process() {
      if (child === undefined) throw new Error('it starts before the first test');
      return child;
    },
    connect,
    async stats() {
      const client = await connect();
      await client.send(request({ params: { REQUEST_URI: '/stats' } }));
      const stats = JSON.parse((await client.response()).body) as Stats;
      client.destroy();
      return { ...stats, requests: stats.requests - 1, connections: stats.connections - 1 };
    },
  };
}

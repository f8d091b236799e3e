// A Client and the scripted application it talks to, closed after each test.

import { Client, type ClientOptions } from '../../lib/client/index.ts';
import { ScriptedApplication } from './scripted-application.ts';
import { temporaryFolder } from './temporary.ts';

export interface ClientAndApplication {
  /** A scripted application on a unix socket of its own, or on TCP. */
  application(transport?: 'unix' | 'tcp'): Promise<ScriptedApplication>;
  /** A client for it. */
  client(application: { readonly address: string }, options?: Partial<ClientOptions>): Client;
}

/** Call it where hooks may be registered. */
export function clientAndApplication(): ClientAndApplication {
  const folder = temporaryFolder();
  const clients: Client[] = [];
  const applications: ScriptedApplication[] = [];
  let count = 0;
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await Promise.all(applications.splice(0).map((application) => application.close()));
  });
  return {
    async application(transport = 'unix') {
      count += 1;
      const path = transport === 'unix' ? folder.join(`${count}.sock`) : undefined;
      const application = await ScriptedApplication.listen(path);
      applications.push(application);
      return application;
    },
    client({ address }, options = {}) {
      const client = new Client({ address, ...options });
      clients.push(client);
      return client;
    },
  };
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string; stderr?: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error('it was fulfilled');
}

/** A small and complete CGI response. */
export const HELLO = 'Content-Type: text/plain\r\n\r\nhello';

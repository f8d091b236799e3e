// examples/admin as it is deployed: set up in a database, served by two workers behind lighttpd.

import { fileURLToPath } from 'node:url';
import { SpecProcess } from './process.ts';
import { temporaryFolder } from './temporary.ts';
import { serveCommand, startLighttpd, type WebServer } from './web-servers.ts';

const file = (name: string): string => fileURLToPath(new URL(`../../examples/admin/${name}`, import.meta.url));

export interface AdminExample {
  readonly server: WebServer;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface Logins {
  readonly admin: string;
  readonly visitor: string;
}

/** Make its tables and users; resolves to their passwords. */
export async function setUpAdmin(databaseUrl: string): Promise<Logins> {
  const setup = new SpecProcess(file('setup'), [], { environ: { DATABASE_URL: databaseUrl } });
  const { code } = await setup.finished;
  const [, admin, visitor] = /^ADMIN_PASSWORD=(.+)\nVISITOR_PASSWORD=(.+)\n$/.exec(setup.stdout) ?? [];
  if (code !== 0 || admin === undefined || visitor === undefined) throw new Error(setup.stdout + setup.stderr);
  return { admin, visitor };
}

/** Gives a function for hooks and tests; all that it has started is stopped after the tests of the enclosing `describe`. */
export function adminExamples(): (environ: Readonly<Record<string, string>>) => Promise<AdminExample> {
  const folder = temporaryFolder();
  const running: AdminExample[] = [];
  afterAll(async () => {
    await Promise.all(running.map((example) => example.stop()));
  });
  let count = 0;
  return async (environ) => {
    count += 1;
    const to = `unix:${folder.join(`${count}.sock`)}`;
    const options = ['--method', 'spawn', '--workers', '2', '--listen', to];
    const [command = '', ...args] = serveCommand(file('app.ts'), ...options);
    const application = new SpecProcess(command, args, { environ });
    let server: WebServer | undefined;
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> =>
      (stopped ??= (async () => {
        await server?.stop();
        await application.stop('SIGINT');
      })());
    try {
      await application.says(/"msg":"serving /);
      server = await startLighttpd({ to });
    } catch (error) {
      await stop();
      throw error;
    }
    const example = { server, url: `http://127.0.0.1:${server.port}`, stop };
    running.push(example);
    return example;
  };
}

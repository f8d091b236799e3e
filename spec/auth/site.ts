// What the specs of auth/ share: a PostgreSQL with the tables, who asks, and what the server was asked.

import { Application, type InjectedResponse } from '../../lib/app/index.ts';
import { authentication, authMigrations, sessions, type SessionOptions } from '../../lib/auth/index.ts';
import { configureDatabases, connections } from '../../lib/db/index.ts';
import { migrate } from '../../lib/db/migrations/index.ts';
import { postgresServer, type SpecPostgres } from '../support/postgres.ts';

export interface AuthSite {
  readonly postgres: SpecPostgres;
  /** The names of the statements that the application sends meanwhile; the text of those that have none. */
  readonly statements: (act: () => Promise<unknown>) => Promise<string[]>;
}

/** A server with the tables, and the databases configured, from beforeAll to afterAll. */
export function authSite(): AuthSite {
  const postgres = postgresServer({ settings: { log_statement: 'all', log_line_prefix: '%a|' } });
  beforeAll(async () => {
    // What an application makes of values of these types is nothing to sessions and users.
    const types = { int8: BigInt, timestamptz: String, jsonb: String, bytea: String };
    configureDatabases({ default: { url: postgres.url(), connMaxAge: 60, types } });
    await migrate({ folders: [authMigrations] });
  });
  afterAll(() => connections.closeAll());

  let marks = 0;
  const mark = async (): Promise<number> => {
    const text = `mark ${++marks} of the spec`;
    await postgres.admin(`SELECT '${text}'`);
    return postgres.until(text, () => {
      const at = postgres.server.log.indexOf(text);
      return at >= 0 && at;
    });
  };
  return {
    postgres,
    async statements(act) {
      const begin = await mark();
      await act();
      const end = await mark();
      const lines = postgres.server.log.slice(begin, end).split('\n');
      return lines.flatMap((line) => {
        const match = /^postfork\|LOG: {2}(?:execute (postfork: [a-z ]+)|statement|execute <unnamed>): (.*)/.exec(line);
        return match === null ? [] : [match[1] ?? (match[2] as string)];
      });
    },
  };
}

/** An application with both layers. */
export function application(options?: SessionOptions): Application {
  return new Application().use(sessions(options)).use(authentication());
}

/** A browser, as far as cookies go. */
export class Visitor {
  readonly #app: Application;
  readonly cookies: Map<string, string> = new Map();

  constructor(app: Application) {
    this.#app = app;
  }

  get token(): string | undefined {
    return this.cookies.get('sessionid');
  }

  get(target: string): Promise<InjectedResponse> {
    return this.ask('GET', target);
  }

  async ask(method: string, target: string, headers: Record<string, string> = {}): Promise<InjectedResponse> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await this.#app.inject({
      method,
      target,
      headers: { ...(cookie && { Cookie: cookie }), ...headers },
    });
    for (const set of setCookies(response)) {
      const [name = '', value = ''] = (set.split(';')[0] as string).split('=');
      if (/; Max-Age=0(;|$)/.test(set)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }
}

export function setCookies(response: InjectedResponse): string[] {
  return response.headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value);
}

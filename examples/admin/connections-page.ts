// The page of the connections' lives: drawn, in numbers, and as the database server sees them.

import type { HttpResponse } from 'postfork';
import type { User } from 'postfork/auth';
import type { DatabaseSettings, StoreStats } from 'postfork/db';
import type { Life } from './connection-lives.ts';
import { html, type Content } from './html.ts';
import { facts, moment, page, table } from './page.ts';
import { timeline } from './timeline.ts';

/** A row of pg_stat_activity. */
export interface Backend {
  pid: number;
  application_name: string;
  state: string | null;
  backend_start: Date;
  query: string;
  /** It is the connection of this request. */
  own: boolean;
}

export interface ConnectionsPage {
  user: User;
  /** The oldest first. */
  lives: readonly Life[];
  backends: readonly Backend[];
  stats: StoreStats | undefined;
  settings: DatabaseSettings;
  /** All lives, not only the last ones. */
  all: boolean;
}

const SHOWN = 20;

export function connectionsPage({ user, lives, backends, stats, settings, all }: ConnectionsPage): HttpResponse {
  const shown = all ? lives : lives.slice(-SHOWN);
  const mine = new Set(lives.filter(({ closedAt }) => closedAt === undefined).map(({ backendPid }) => backendPid));
  const more = shown.length < lives.length ? html` (<a href="?all">all</a>)` : undefined;
  return page(
    { path: '/admin/connections', title: 'Connections', user },
    html`<p>${meaning(settings.connMaxAge)}</p>
      <p class="dim">
        Worker ${process.pid}, up ${Math.round(process.uptime())} s. Each worker knows its own connections:
        <a href="/admin/connections">reload</a> to see those of another.
      </p>
      <h2>Lives of this worker's connections</h2>
      <p class="dim">
        Shown: ${shown.length} of ${lives.length}${more}. Each by its process of the database server, how long it lived,
        how often it was used, and the last request that used it. Wide: open; narrow: used; a green end: open now.
      </p>
      ${timeline(shown, Date.now())}
      <h2>In numbers</h2>
      ${facts(Object.entries(stats ?? {}))}
      <h2>Settings</h2>
      ${facts(Object.entries(settings).map(([name, value]) => [name, String(typeof value === 'function' ? value() : value)]))}
      <h2>What the database server has</h2>
      <p class="dim">
        pg_stat_activity of this database: the connections of all workers, and of whoever else is there.
      </p>
      ${table(
        ['backend', 'held by', 'state', 'since (UTC)', 'last statement'],
        backends.map(({ pid, application_name, state, backend_start, query, own }) => [
          pid,
          own ? html`<strong>this request</strong>` : mine.has(pid) ? 'this worker' : application_name,
          state ?? '',
          moment(backend_start),
          html`<code>${query.replace(/\s+/g, ' ').slice(0, 80)}</code>`,
        ]),
      )}`,
  );
}

/** What connMaxAge does. */
function meaning(connMaxAge: number | null | undefined): Content {
  if (connMaxAge === null) {
    return html`<code>CONN_MAX_AGE=none</code>: a connection is kept for further requests as long as it works.`;
  }
  if (!connMaxAge) {
    return html`<code>CONN_MAX_AGE=0</code>: a request opens its connection at its first query, and it is closed when
      the request ends. One request, one life. Start with <code>CONN_MAX_AGE=60</code> or <code>none</code> to compare.`;
  }
  return html`<code>CONN_MAX_AGE=${connMaxAge}</code>: a connection is kept for further requests for ${connMaxAge}
    seconds from its opening, and closed at the end of the first request after that, or when they have passed.`;
}

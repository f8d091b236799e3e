// The same pages on Postfork's own connections: nothing of the thread's fixes is in it.

import { Application, HttpResponse, type HttpRequest } from '../../app/index.ts';
import {
  configureDatabases,
  connection_acquired,
  connection_closed,
  connection_created,
  connection_discarded,
  connections,
  type ConnectionInfo,
  db,
} from '../../db/index.ts';
import { currentRequest, request_finished, request_started } from '../../signals/index.ts';
import type { Rows } from './drivers/index.ts';
import { errorPage } from './error-page.ts';
import { Journal } from './journal.ts';
import { adminPage, CONFIGURATION, type Query, requestNumber } from './pages.ts';
import { noteProcesses } from './processes.ts';
import type { SiteSettings } from './settings.ts';

/**
 * To be awaited while the site's module is imported. The worst case of a fork: the connection of its configuration is not only open
 * then, but in use, by a scope that does not end.
 */
export async function postforkSite({ url, journal: path }: SiteSettings): Promise<Application> {
  const journal = new Journal(path);
  let atImport: string | undefined;
  noteProcesses(journal, () => atImport); // before those of the connections: a fork, then what it discards
  configureDatabases({ default: { url } }); // binds their life to the signals
  const used = noteConnections(journal);
  journal.note('import');
  await new Promise<void>((resolve, reject) => {
    const scope = connections.scope(async () => {
      await db.query(CONFIGURATION);
      atImport = used.last;
      if (atImport !== undefined) journal.note('query', { connection: atImport });
      resolve();
      await new Promise(() => {}); // kept for the site's whole life
    });
    scope.catch(reject);
  });

  const application = new Application();
  const numberOf = (request: unknown): { request: number } => ({ request: requestNumber(request as HttpRequest) });
  request_started.connect(({ request }) => journal.note('begin', numberOf(request)));
  request_finished.connect(({ request }) => journal.note('end', numberOf(request)), { last: true });
  application.use(async (request) => {
    const query: Query = async (sql, params, number) => {
      try {
        return asText((await db.query<Record<string, Value>>(sql, [...params])).rows);
      } finally {
        const connection = used.of(request);
        if (connection !== undefined) journal.note('query', { connection, request: number });
      }
    };
    try {
      return HttpResponse.html(await adminPage(request, query, journal));
    } catch (error) {
      return errorPage(error);
    }
  });
  return application;
}

interface Used {
  /** The connection that was opened last. */
  readonly last: string | undefined;
  of(request: HttpRequest): string | undefined;
}

function noteConnections(journal: Journal): Used {
  const ofRequests = new WeakMap<object, string>();
  const requests = new Map<string, number>(); // that connections were used for last
  let last: string | undefined;
  connection_created.connect(({ connection }) => {
    last = idOf(connection);
    const request = currentRequest();
    journal.note('open', {
      connection: last,
      backend: connection.backendPid,
      ...(request !== undefined && { request: requestNumber(request as HttpRequest) }),
    });
  });
  connection_closed.connect(({ connection }) => {
    const id = idOf(connection);
    const request = requests.get(id);
    requests.delete(id);
    journal.note('close', { connection: id, ...(request !== undefined && { request }) });
  });
  connection_discarded.connect(({ connection }) => journal.note('discard', { connection: idOf(connection) }));
  connection_acquired.connect(({ connection, request }) => {
    if (request === undefined) return;
    ofRequests.set(request, idOf(connection));
    requests.set(idOf(connection), requestNumber(request as HttpRequest));
  });
  return {
    get last() {
      return last;
    },
    of: (request) => ofRequests.get(request),
  };
}

function idOf({ ownerPid, id }: ConnectionInfo): string {
  return `${ownerPid}-${id}`;
}

type Value = string | number | boolean | null;

/** Values as the legacy drivers give them. */
function asText(rows: readonly Record<string, Value>[]): Rows {
  const text = (value: Value): string | null =>
    value === null ? null : typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, text(value)])));
}

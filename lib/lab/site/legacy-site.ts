// The site of the thread: Django 1.1.1's request signals around its pages, on one connection for the process.

import { Application, HttpResponse, type HttpRequest } from '../../app/index.ts';
import { Signal } from '../../signals/index.ts';
import { connectBy } from './drivers/index.ts';
import { errorPage } from './error-page.ts';
import { Journal } from './journal.ts';
import { LegacyConnection } from './legacy-connection.ts';
import { adminPage, CONFIGURATION, type Query, requestNumber } from './pages.ts';
import { noteProcesses } from './processes.ts';
import type { SiteSettings } from './settings.ts';

interface RequestEvent {
  readonly request: number;
}

/**
 * django.core.signals as it was: sent by `send`, whose first error goes to who sends; request_finished in a `finally`, before
 * the answer leaves (django/core/handlers/wsgi.py of 1.1.1, and thread.txt's second trace).
 */
interface LegacySignals {
  readonly request_started: Signal<RequestEvent>;
  readonly request_finished: Signal<RequestEvent>;
}

/** To be awaited while the site's module is imported: it asks the database for its configuration then; with the fix `lazy`, at its first request. */
export async function legacySite({ url, driver, native, fix, journal: path }: SiteSettings): Promise<Application> {
  const journal = new Journal(path);
  const strictClose = fix === 'pgbouncer-strict';
  const connection = new LegacyConnection({ url, connect: connectBy(driver, native), strictClose, journal });
  const signals: LegacySignals = {
    request_started: new Signal('request_started'),
    request_finished: new Signal('request_finished'),
  };
  const closeConnection = ({ request }: RequestEvent): Promise<void> => connection.close(request);
  signals.request_finished.connect(closeConnection); // django/db/__init__.py
  if (fix === 'started') signals.request_started.connect(closeConnection); // the thread's answer

  noteProcesses(journal, () => connection.held);
  journal.note('import');
  let configured = fix !== 'lazy';
  if (configured) await connection.query(CONFIGURATION, []);

  const application = new Application();
  const query: Query = (sql, params, request) => connection.query(sql, params, request);
  const getResponse = async (request: HttpRequest): Promise<string> => {
    if (!configured) await query(CONFIGURATION, [], requestNumber(request));
    configured = true;
    return adminPage(request, query, journal);
  };
  application.use((request) => wsgiHandler(request, signals, journal, getResponse));
  return application;
}

/** WSGIHandler.__call__ around get_response, in a FastCGI server that shows what it raises, as flup did. */
async function wsgiHandler(
  request: HttpRequest,
  signals: LegacySignals,
  journal: Journal,
  getResponse: (request: HttpRequest) => Promise<string>,
): Promise<HttpResponse> {
  const number = requestNumber(request);
  const sender = wsgiHandler;
  journal.note('begin', { request: number });
  try {
    let response: HttpResponse;
    await signals.request_started.send(sender, { request: number });
    try {
      response = await getResponse(request).then((page) => HttpResponse.html(page), errorPage);
    } finally {
      await signals.request_finished.send(sender, { request: number });
    }
    return response;
  } catch (error) {
    return errorPage(error);
  } finally {
    journal.note('end', { request: number });
  }
}

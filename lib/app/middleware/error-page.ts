// errorPage(): errors as pages for people, as JSON for programs.

import { reasonPhrase } from '../../cgi/index.ts';
import { preferredType } from './accept.ts';
import { HttpError } from '../http-error.ts';
import type { HttpRequest } from '../http-request.ts';
import { escapeHtml, type HttpResponse } from '../http-response.ts';
import { messageOf } from '../message-of.ts';
import type { Middleware } from '../pipeline.ts';
import { withResponse } from './with-response.ts';

export interface ErrorPageOptions {
  /** Show the error with its stack, its causes and the request's first line. Never where strangers can see it. Default false. */
  development?: boolean;
}

/** What may be shown of an error. */
interface Report {
  status: number;
  title: string;
  /** HttpErrors' own messages. */
  message: string | undefined;
  /** In development: the request line, and the stacks of the error and its causes. */
  details: { request: string; errors: string[] } | undefined;
}

const TYPES = ['text/html', 'application/json'];
const MAX_ERRORS = 10; // causes, and causes of causes
const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em;color:#222}' +
  'h1{font-size:1.6em}pre{background:#f4f4f4;padding:1em;overflow:auto;font-size:.85em}';

/**
 * Gives responses that were made of an error (`response.error`) a page where the Accept header asks for text/html, an object
 * where it asks for JSON, else plain text. Other responses, and all header fields but those of the body, stay. Outside of
 * development only HttpErrors say more than their status. Headers, cookies and bodies of the request are never shown.
 */
export function errorPage(options: ErrorPageOptions = {}): Middleware {
  const { development = false } = options;
  return (request, next) =>
    withResponse(next(request), (response) => {
      if (response.error !== undefined) show(reportOf(request, response, development), request, response);
    });
}

function reportOf(request: HttpRequest, { status, error }: HttpResponse, development: boolean): Report {
  return {
    status,
    title: reasonPhrase(status),
    message: error instanceof HttpError && error.message !== reasonPhrase(status) ? error.message : undefined,
    details: development ? { request: `${request.sentMethod} ${request.target}`, errors: stacksOf(error) } : undefined,
  };
}

function show(report: Report, request: HttpRequest, response: HttpResponse): void {
  const { headers } = response;
  const type = preferredType(request.header('Accept'), TYPES);
  headers.delete('Content-Length');
  headers.vary('Accept');
  headers.set('X-Content-Type-Options', 'nosniff');
  if (type === 'text/html') {
    response.body = page(report);
    headers.set('Content-Type', 'text/html; charset=utf-8');
    headers.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
  } else if (type === 'application/json') {
    const { status, title, message, details } = report;
    response.body = JSON.stringify({ status, error: message ?? title, ...details });
    headers.set('Content-Type', 'application/json');
  } else {
    response.body = text(report);
    headers.set('Content-Type', 'text/plain; charset=utf-8');
  }
}

function page({ status, title, message, details }: Report): string {
  const heading = `${status} ${escapeHtml(title)}`;
  const body = [`<h1>${heading}</h1>`];
  if (message !== undefined) body.push(`<p>${escapeHtml(message)}</p>`);
  if (details !== undefined) {
    body.push(`<p><code>${escapeHtml(details.request)}</code></p>`);
    for (const error of details.errors) body.push(`<pre>${escapeHtml(error)}</pre>`);
  }
  return (
    `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${heading}</title><style>${STYLE}</style></head>\n` +
    `<body>\n${body.join('\n')}\n</body>\n</html>\n`
  );
}

function text({ status, title, message, details }: Report): string {
  const lines = [`${status} ${message ?? title}`];
  if (details !== undefined) lines.push('', details.request, '', details.errors.join('\n\n'));
  return `${lines.join('\n')}\n`;
}

/** The stacks of an error and what it was caused by, outermost first. */
function stacksOf(error: unknown): string[] {
  const stacks: string[] = [];
  const seen = new Set<unknown>();
  const add = (one: unknown, label: string): void => {
    if (stacks.length === MAX_ERRORS || seen.has(one)) return;
    seen.add(one);
    stacks.push(label + stackOf(one));
    if (!(one instanceof Error)) return;
    if (one.cause !== undefined) add(one.cause, 'Caused by: ');
    if (one instanceof AggregateError) for (const inner of one.errors as unknown[]) add(inner, 'One of several: ');
  };
  add(error, '');
  return stacks;
}

function stackOf(error: unknown): string {
  return error instanceof Error && typeof error.stack === 'string' ? error.stack : messageOf(error);
}

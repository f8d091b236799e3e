// Problem: why the gateway answers by itself, and the page that says so.

import { STATUS_CODES, type IncomingMessage } from 'node:http';
import { ClientError } from '../client/index.ts';

/** What is wrong, for a person in front of a browser. */
export class Problem extends Error {
  /** Of the answer. */
  readonly status: number;
  /** What to do, a sentence each. */
  readonly advice: readonly string[];
  /** Text to be shown as it stands, such as a stack. */
  readonly detail: string | undefined;

  constructor(status: number, message: string, options: { advice?: readonly string[]; detail?: string } = {}) {
    super(message);
    this.name = 'Problem';
    this.status = status;
    this.advice = options.advice ?? [];
    this.detail = options.detail;
  }
}

/** `to`: where the application should be. `timeout`: ms that it has to answer. */
export function problemOf(error: unknown, to: string, timeout: number): Problem {
  if (error instanceof Problem) return error;
  if (!(error instanceof ClientError)) return new Problem(500, `the gateway failed: ${messageOf(error)}`);
  switch (error.code) {
    case 'CONNECT_FAILED':
    case 'CONNECT_TIMEOUT':
      return new Problem(502, `There is no application at ${to}.`, {
        advice: [`Start one: postfork serve app.mjs --listen ${to}`, 'Then load this page again.'],
        detail: error.message,
      });
    case 'HEAD_TIMEOUT':
      return new Problem(504, `The application has not begun to answer within ${timeout} ms.`, {
        advice: ['It may be blocked, or wait for something that does not come. --timeout sets another time.'],
      });
    case 'QUEUE_FULL':
    case 'QUEUE_TIMEOUT':
    case 'OVERLOADED':
      return new Problem(503, 'The application has too much to do.', { detail: error.message });
    case 'CLOSED':
      return new Problem(502, 'The application has closed the connection without an answer.', {
        advice: ['It may have crashed: see its log.'],
        detail: details(error),
      });
    default:
      return new Problem(502, 'The application has not answered as FastCGI and CGI ask for.', {
        advice: ['Its log may say why; postfork call -v shows what it sends.'],
        detail: details(error),
      });
  }
}

/** The page, or text where no page is asked for. */
export function problemPage(problem: Problem, { headers }: IncomingMessage): { type: string; body: string } {
  const { status, message, advice, detail } = problem;
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  if (!/\btext\/html\b/.test(headers.accept ?? '')) {
    const lines = [title, '', message, ...advice, ...(detail === undefined ? [] : ['', detail])];
    return { type: 'text/plain; charset=utf-8', body: `${lines.join('\n')}\n` };
  }
  const parts = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p>${escapeHtml(message)}</p>`,
    ...advice.map((sentence) => `<p>${escapeHtml(sentence)}</p>`),
    ...(detail === undefined ? [] : [`<pre>${escapeHtml(detail)}</pre>`]),
    '<p><small>The postfork gateway says this, not the application.</small></p>',
  ];
  return {
    type: 'text/html; charset=utf-8',
    body:
      `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
      `<style>${STYLE}</style></head>\n<body>\n${parts.join('\n')}\n</body>\n</html>\n`,
  };
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em;color:#222}' +
  'h1{font-size:1.6em}pre{background:#f4f4f4;padding:1em;overflow:auto;font-size:.85em}';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"]/g, (char) => ENTITIES[char] ?? char);

const details = ({ code, message, stderr }: ClientError): string =>
  `${code}: ${message}${stderr === '' ? '' : `\n\n${stderr.trimEnd()}`}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

// The site's own page for an error, by which its client tells what has failed.

import { HttpError, HttpResponse } from '../../app/index.ts';

/** On each error page of the site, and on none of a web server's: the error's class. */
export const ERROR_HEADER = 'X-Lab-Error';

/** Plain text: the error's class and message. */
export function errorPage(error: unknown): HttpResponse {
  const { name, message } = error as Error;
  const status = error instanceof HttpError ? error.status : 500;
  return HttpResponse.text(`${name}: ${message}\n`, { status, headers: { [ERROR_HEADER]: name } });
}

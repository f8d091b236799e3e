// What `postfork dev` puts into an application: a page for errors that it makes no page of.

import { errorPage, errorResponse, type Application, type HttpResponse } from '../app/index.ts';

/**
 * Two layers: the innermost one has the errors of handlers, before a layer of the application's own packs their text; the outermost
 * one those of its layers, where they have come out as they were.
 */
export function showErrors(application: Application): void {
  const page = errorPage({ development: true });
  application.use(page);
  application.wrap(async (request, next) => {
    const response = await next(request);
    return isBare(response) ? page(request, () => response) : response;
  });
}

/** Whether it is what the pipeline makes of an error, and nobody's page. */
function isBare({ body, error }: HttpResponse): boolean {
  return error !== undefined && body === errorResponse(error).body;
}

// What the worker of `postfork dev` loads: the application, with a page for errors that it makes no page of.

import { errorPage, type Application } from '../app/index.ts';
import { loadApplication } from './load-application.ts';

/** Rejects as `loadApplication` does. The layer is the innermost one: an errorPage of the application's own has the last word. */
export async function developmentApplication(file: string): Promise<Application> {
  const application = await loadApplication(file);
  application.use(errorPage({ development: true }));
  return application;
}

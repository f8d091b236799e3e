// site/: the thread's application, as processes of a deployment run it.

import type { Application } from '../../app/index.ts';
import { legacySite } from './legacy-site.ts';
import { postforkSite } from './postfork-site.ts';
import type { SiteSettings } from './settings.ts';

export { createSite } from './database.ts';
export { ERROR_HEADER } from './error-page.ts';
export { serveInProcess } from './in-process.ts';
export type { JournalLine } from './journal.ts';
export { siteRequest, type SiteRequest } from './requests.ts';
export type { SiteSettings } from './settings.ts';

/** The application, for a module to export. To be awaited there: most fixes leave the query at import. */
export function site(settings: SiteSettings): Promise<Application> {
  return settings.fix === 'postfork' ? postforkSite(settings) : legacySite(settings);
}

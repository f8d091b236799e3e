// A real browser for specs: the system's Chromium without a window.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const STARTED_WITHIN = 60_000; // ms

/** A page of a browser that knows nothing yet, with what it has complained of. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts and of the console, violations of the Content-Security-Policy among them. */
  readonly complaints: string[];
}

export interface SpecBrowser {
  /** A page with its own cookies; closed after the test. */
  open(options?: BrowserContextOptions): Promise<WatchedPage>;
}

/** A browser that runs from beforeAll to afterAll. Call it where hooks may be registered. */
export function specBrowser(): SpecBrowser {
  let browser: Browser | undefined;
  const contexts: BrowserContext[] = [];
  beforeAll(async () => {
    const root = process.geteuid?.() === 0; // for whom Chromium has no sandbox
    browser = await chromium.launch({
      executablePath: findBrowser(),
      args: ['--disable-dev-shm-usage', ...(root ? ['--no-sandbox'] : [])],
    });
  }, STARTED_WITHIN);
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });
  afterAll(async () => {
    await browser?.close();
  });
  return {
    async open(options = {}) {
      if (browser === undefined) throw new Error('the browser is started by beforeAll: use it in hooks and tests');
      const context = await browser.newContext(options);
      contexts.push(context);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      return { page, context, complaints };
    },
  };
}

function findBrowser(): string {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const paths = NAMES.flatMap((name) => [...folders, '/usr/bin', '/usr/local/bin'].map((folder) => join(folder, name)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there is no ${NAMES.join(', ')}: run scripts/setup --tests`);
  return found;
}

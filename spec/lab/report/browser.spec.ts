// The lab's report in a browser: from a file, as it is opened by who has got it.

import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { reportHtml } from '../../../lib/lab/report/index.ts';
import { specBrowser } from '../../support/browser.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { cellResult, labResult, wholeRun } from './sample.ts';

const browser = specBrowser();
const folder = temporaryFolder();
let written = 0;

interface Opened {
  readonly page: Page;
  readonly complaints: readonly string[];
  /** All but the page itself. */
  readonly requests: readonly string[];
}

async function open(html: string, options?: BrowserContextOptions): Promise<Opened> {
  const file = folder.join(`report-${++written}.html`);
  await writeFile(file, html);
  const { page, complaints } = await browser.open(options);
  const requests: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('request', (request) => {
    if (request.url() !== url) requests.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, requests };
}

const background = (page: Page): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');

test.each([
  ['light', 'rgb(255, 255, 255)'],
  ['dark', 'rgb(18, 22, 29)'],
] as const)('in %s it loads nothing, complains of nothing and fits a telephone', async (colorScheme, color) => {
  const { page, complaints, requests } = await open(reportHtml(wholeRun()), {
    colorScheme,
    viewport: { width: 375, height: 800 },
  });
  expect(await background(page)).toBe(color);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
  expect(complaints).toEqual([]);
  expect(requests.filter((url) => url !== 'data:,')).toEqual([]);
});

test('on paper it is light, and nothing of it is cut off', async () => {
  const { page } = await open(reportHtml(wholeRun()), { colorScheme: 'dark', viewport: { width: 1030, height: 700 } });
  await page.emulateMedia({ media: 'print' });
  expect(await background(page)).toBe('rgb(255, 255, 255)');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1030);
});

test('the parts come in order, each under its heading', async () => {
  const { page } = await open(reportHtml(wholeRun()));
  expect(await page.getByRole('heading', { level: 1 }).allInnerTexts()).toEqual([
    'Database connections opened before the fork',
  ]);
  expect(await page.getByRole('heading', { level: 2 }).allInnerTexts()).toEqual([
    'Scoreboard',
    'Who held which connection',
    'The law, drawn',
    'Every error text',
    'Several requests at a time',
    'Run it again',
    'Left out',
  ]);
});

test('pictures and charts are images with names and descriptions, and their signs are seen', async () => {
  const { page } = await open(reportHtml(wholeRun()));
  const name = 'fork, no fix, 4 workers, max-requests 0';
  const picture = page.getByRole('img', { name: new RegExp(`^${name}`) });
  for (const sign of ['open', 'query', 'close', 'error']) {
    const box = await picture.locator(`.sign.${sign}`).first().boundingBox();
    expect(box?.height).toBeGreaterThan(5);
  }
  // Every mark lies within the drawing.
  const outside = await picture.evaluate((svg) => {
    const whole = svg.getBoundingClientRect();
    const parts = [...svg.querySelectorAll('.sign, .bar, .request, text')].map((part) => part.getBoundingClientRect());
    return parts.filter(
      ({ left, right, top, bottom }) =>
        left < whole.left - 1 || right > whole.right + 1 || top < whole.top - 1 || bottom > whole.bottom + 1,
    ).length;
  });
  expect(outside).toBe(0);
  await expect(page.getByRole('img', { name: /^Failed requests against workers/ }).count()).resolves.toBe(1);
  expect(await page.getByRole('region', { name }).first().locator('svg').count()).toBe(1);
});

test('ids are the only ones, and who refers to one finds it', async () => {
  const { page } = await open(reportHtml(wholeRun()));
  const ids = await page.locator('[id]').evaluateAll((elements) => elements.map(({ id }) => id));
  const referred = await page
    .locator('[aria-labelledby]')
    .evaluateAll((elements) =>
      elements.flatMap((element) => element.getAttribute('aria-labelledby')?.split(' ') ?? []),
    );
  expect(ids).toHaveLength(new Set(ids).size);
  expect(referred.filter((id) => !ids.includes(id))).toEqual([]);
  expect(referred.length).toBeGreaterThan(10);
});

test('an error text is shown as it is, line by line, and does nothing', async () => {
  const text = '\n<img src="http://127.0.0.1:9/x" onerror="document.title = 1"></pre>\n\ta line\n';
  const error = { kind: 'other', text, count: 1, source: 'page' } as const;
  const { page, requests } = await open(reportHtml(labResult([cellResult({ result: { errors: [error] } })])));
  expect(await page.locator('#errors pre').textContent()).toBe(text);
  expect(await page.title()).toBe('Postfork lab: connections opened before the fork');
  expect(requests.filter((url) => url !== 'data:,')).toEqual([]);
});

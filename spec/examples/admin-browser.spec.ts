// examples/admin in a browser: lighttpd, two workers, PostgreSQL.

import type { Page } from 'playwright-core';
import { adminExamples, setUpAdmin, type AdminExample, type Logins } from '../support/admin-example.ts';
import { specBrowser } from '../support/browser.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const browser = specBrowser();
const start = adminExamples();
let example: AdminExample;
let logins: Logins;

beforeAll(async () => {
  logins = await setUpAdmin(postgres.url());
  example = await start({ DATABASE_URL: postgres.url(), CONN_MAX_AGE: '60' });
}, 60_000);

async function logIn(page: Page, username: keyof Logins, password: string = logins[username]): Promise<void> {
  await page.getByLabel('Name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

const pathOf = (page: Page): string => page.url().slice(example.url.length);
const heading = (page: Page): Promise<string> => page.getByRole('heading', { level: 1 }).innerText();

test('a stranger is sent to log in, and from there to the page that was asked for', async () => {
  const { page, complaints } = await browser.open();
  await page.goto(`${example.url}/admin/connections`);
  expect(pathOf(page)).toBe('/login?next=%2Fadmin%2Fconnections');
  await logIn(page, 'admin', 'wrong');
  expect(await page.getByRole('alert').innerText()).toBe('No user has this name and this password.');
  expect(await page.getByLabel('Name').inputValue()).toBe('admin');
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await logIn(page, 'admin');
  expect(pathOf(page)).toBe('/admin/connections');
  expect(await heading(page)).toBe('Connections');
  expect(complaints).toEqual([]);
});

test('it all works without JavaScript', async () => {
  const { page } = await browser.open({ javaScriptEnabled: false });
  await page.goto(`${example.url}/admin`);
  await logIn(page, 'admin');
  expect([pathOf(page), await heading(page)]).toEqual(['/admin', 'Administration']);
  await page.getByRole('button', { name: 'Log out' }).click();
  expect(pathOf(page)).toBe('/');
});

test('a note is text, whatever is in it; it is added, logged and deleted', async () => {
  const { page, complaints } = await browser.open();
  const note = `<b>bold</b> "quoted" 'twice' & <script>alert(1)</script>`;
  await page.goto(`${example.url}/admin`);
  await logIn(page, 'admin');
  await page.getByLabel('A new note').fill(note);
  await page.getByRole('button', { name: 'Add' }).click();
  const row = page
    .getByRole('row')
    .filter({ hasText: '<b>bold</b>' })
    .filter({ has: page.getByRole('button') });
  expect(await row.getByRole('cell').first().innerText()).toBe(note);
  expect(await page.locator('td b, td script').count()).toBe(0);
  expect(await postgres.admin('SELECT text, author FROM example_notes ORDER BY id DESC LIMIT 1')).toEqual([
    { text: note, author: 'admin' },
  ]);

  await row.getByRole('button', { name: 'Delete' }).click();
  expect(pathOf(page)).toBe('/admin');
  expect(await row.count()).toBe(0);
  expect(await postgres.admin('SELECT action, text FROM example_note_log ORDER BY id DESC LIMIT 2')).toEqual([
    { action: 'deleted', text: note },
    { action: 'added', text: note },
  ]);
  expect(complaints).toEqual([]);
});

test("the connections' lives are drawn, and listed as the server has them", async () => {
  const { page, complaints } = await browser.open();
  await page.goto(`${example.url}/login?next=/admin/connections`);
  await logIn(page, 'admin');
  const drawing = page.getByRole('img', { name: /^Lives of \d+ database connections? in the last/ });
  expect(await drawing.locator('line.life').count()).toBeGreaterThan(0);
  // This request's own: open, and used by it.
  expect(await drawing.locator('circle.open').count()).toBeGreaterThan(0);
  expect(await drawing.locator('text', { hasText: ' · open · ' }).allTextContents()).toContainEqual(
    expect.stringMatching(/^\d+ · open · \d+ uses? · GET \/admin\/connections$/),
  );
  const own = page.getByRole('row').filter({ hasText: 'this request' });
  const pid = Number(await own.getByRole('cell').first().innerText());
  expect((await postgres.backends()).map((backend) => backend.pid)).toContain(pid); // kept: CONN_MAX_AGE is 60
  expect(await page.locator('dl').filter({ hasText: 'connMaxAge' }).innerText()).toMatch(/connMaxAge\s+60\b/);
  expect(complaints).toEqual([]);
});

test('the session: a cookie that scripts and other sites do not get, another one at each login, none that lives on', async () => {
  const { page, context, complaints } = await browser.open();
  const session = async () => (await context.cookies()).find(({ name }) => name === 'sessionid');
  await page.goto(`${example.url}/login?next=/`);
  expect(await session()).toBeUndefined();
  await logIn(page, 'visitor');
  const first = await session();
  expect(first).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  await page.goto(`${example.url}/login`);
  await logIn(page, 'admin');
  const second = await session();
  expect(second?.value).toMatch(/.{40}/);
  expect(second?.value).not.toBe(first?.value);

  await page.getByRole('button', { name: 'Log out' }).click();
  expect(await session()).toBeUndefined();
  expect(await page.locator('main').innerText()).toContain('You are nobody in particular');
  for (const old of [first, second]) {
    await context.addCookies([{ name: 'sessionid', value: old?.value ?? '', url: example.url }]);
    await page.goto(`${example.url}/admin`);
    expect(pathOf(page)).toBe('/login?next=%2Fadmin');
  }
  expect(complaints).toEqual([]);
});

test('who is not staff sees a 403, and the home page', async () => {
  const { page, complaints } = await browser.open();
  await page.goto(`${example.url}/login`);
  const answered = page.waitForResponse((response) => response.url() === `${example.url}/admin`);
  await logIn(page, 'visitor');
  expect((await answered).status()).toBe(403);
  expect(await heading(page)).toBe('403 Forbidden');
  expect((await page.goto(`${example.url}/admin/connections`))?.status()).toBe(403);
  await page.goto(`${example.url}/`);
  expect(await page.locator('main').innerText()).toContain('You are visitor, but not staff.');
  // Chromium counts a page with an error's status as an error; it has nothing else to say.
  expect(complaints).toEqual(Array(2).fill(expect.stringContaining('status of 403')));
});

test.each(['light', 'dark'] as const)('no page complains or is wider than a phone, %s', async (colorScheme) => {
  const { page, complaints } = await browser.open({ colorScheme, viewport: { width: 390, height: 844 } });
  await page.goto(`${example.url}/login?next=/`);
  await logIn(page, 'admin');
  for (const path of ['/', '/login', '/admin', '/admin/connections', '/admin/connections?all']) {
    await page.goto(example.url + path);
    const [width, back] = await page.evaluate<[number, string]>(
      '[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]',
    );
    expect([path, width, back]).toEqual([path, 390, colorScheme === 'dark' ? 'rgb(20, 24, 31)' : 'rgb(255, 255, 255)']);
  }
  expect(complaints).toEqual([]);
});

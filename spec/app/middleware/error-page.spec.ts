// errorPage(): errors as pages for people, as JSON for programs.

import * as fc from 'fast-check';

import { Application, errorPage, HttpError, HttpResponse, type InjectedResponse } from '../../../lib/app/index.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

function ask(
  error: unknown,
  accept: string | undefined,
  development: boolean,
  headers: Record<string, string> = {},
  target = '/',
): Promise<InjectedResponse> {
  return new Application()
    .use(errorPage({ development }))
    .fallback(() => Promise.reject(error as Error))
    .inject({ target, headers: { ...headers, ...(accept !== undefined && { Accept: accept }) } });
}

const nested = (): Error =>
  new Error('the outer', { cause: new TypeError('the inner', { cause: 'a reason that is text' }) });

describe('for development', () => {
  test('a page has the message, the stack, the causes and the request line', async () => {
    const response = await ask(nested(), BROWSER, true, {}, '/some/path?q=1');
    expect([response.status, response.header('Content-Type')]).toEqual([500, 'text/html; charset=utf-8']);
    expect(response.header('X-Content-Type-Options')).toBe('nosniff');
    expect(response.header('Content-Security-Policy')).toContain("default-src 'none'");
    expect(response.header('Vary')).toBe('Accept');
    expect(response.header('Content-Length')).toBe(String(response.body.length));
    const page = response.text();
    expect(page).toMatch(/^<!doctype html>/);
    for (const part of [
      'the outer',
      'error-page.spec.ts',
      'Caused by: TypeError: the inner',
      'a reason that is text',
    ]) {
      expect(page).toContain(part);
    }
    expect(page).toContain('GET /some/path?q=1');
  });

  test('plain text and JSON have the same', async () => {
    const text = (await ask(nested(), '*/*', true)).text();
    expect(text).toMatch(
      /^500 Internal Server Error\n\nGET \/\n\nError: the outer\n {4}at [^]*\n\nCaused by: TypeError: the inner/,
    );
    const json = (await ask(nested(), 'application/json', true)).json();
    expect(json).toMatchObject({
      status: 500,
      error: 'Internal Server Error',
      request: 'GET /',
      errors: [
        expect.stringMatching(/^Error: the outer\n/),
        expect.stringMatching(/^Caused by: TypeError: the inner\n/),
        'Caused by: a reason that is text',
      ],
    });
  });

  test('several errors in one are shown, and circles end', async () => {
    const circle = new Error('circle');
    circle.cause = circle;
    const many = new AggregateError([circle, ...Array.from({ length: 50 }, (_, i) => new Error(`no. ${i}`))], 'many');
    const { errors } = (await ask(many, 'application/json', true)).json() as { errors: string[] };
    expect(errors).toHaveLength(10);
    expect(errors[1]).toMatch(/^One of several: Error: circle/);
  });

  test.each<[what: string, error: unknown]>([
    ['text', 'just text'],
    ['null', null],
    ['an object', { toString: () => 'an object' }],
    ['what has no text', Object.create(null)],
    ['an error without a stack', Object.assign(new Error('bare'), { stack: undefined })],
  ])('%s that is thrown is shown too', async (_what, error) => {
    expect((await ask(error, BROWSER, true)).status).toBe(500);
  });

  test('nothing in it is markup, whatever the error or the request says', async () => {
    const markup = fc.constantFrom('<script>', '</pre>', '"', "'", '&lt;', '<!--', '\0', ']]>', 'x');
    const text = fc.array(markup, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const plain = (await ask(new Error('x', { cause: 'x' }), BROWSER, true)).text();
    const tags = (page: string): string[] => page.match(/<[^>]*>/g) ?? [];
    await fc.assert(
      fc.asyncProperty(text, text, text, async (message, cause, target) => {
        const page = (await ask(new Error(message, { cause }), BROWSER, true, {}, `/${target}`)).text();
        expect(tags(page)).toEqual(tags(plain));
      }),
    );
  });

  test('it keeps what the client must keep secret to itself', async () => {
    const headers = { Cookie: 'session=SECRET', Authorization: 'Bearer SECRET', 'X-Api-Key': 'SECRET' };
    for (const accept of [BROWSER, '*/*', 'application/json']) {
      expect((await ask(nested(), accept, true, headers)).text()).not.toContain('SECRET');
    }
  });
});

describe('for production', () => {
  test.each([
    [BROWSER, /^<!doctype html>\n[^]*<h1>500 Internal Server Error<\/h1>\n<\/body>/],
    ['application/json', /^\{"status":500,"error":"Internal Server Error"\}$/],
    ['*/*', /^500 Internal Server Error\n$/],
    [undefined, /^500 Internal Server Error\n$/],
  ])('Accept: %s: an unexpected error says no more than its status', async (accept, body) => {
    const response = await ask(nested(), accept, false);
    expect(response.text()).toMatch(body);
    expect(response.text()).not.toMatch(/outer|inner|spec\.ts/);
    expect(response.stderr).toContain('the outer'); // the web server's log has it
  });

  test("an HttpError's message is for the client", async () => {
    const error = new HttpError(404, 'no such <user>', { headers: { 'X-Own': '1' }, cause: new Error('inner') });
    const page = await ask(error, BROWSER, false);
    expect(page.text()).toContain('<h1>404 Not Found</h1>\n<p>no such &#60;user&#62;</p>');
    expect(page.header('X-Own')).toBe('1');
    expect((await ask(error, 'application/json', false)).json()).toEqual({ status: 404, error: 'no such <user>' });
    expect((await ask(error, undefined, false)).text()).toBe('404 no such <user>\n');
    expect(page.text()).not.toContain('inner');
  });

  test('is the default', async () => {
    const app = new Application().use(errorPage()).get('/', () => Promise.reject(new Error('secret')));
    expect((await app.inject({ headers: { Accept: BROWSER } })).text()).not.toContain('secret');
  });
});

describe('the type', () => {
  test.each([
    ['text/html', 'text/html'],
    ['TEXT/HTML', 'text/html'],
    ['application/json', 'application/json'],
    ['application/json, text/html', 'application/json'],
    ['text/html, application/json', 'text/html'],
    ['text/html;q=0.5, application/json;q=0.9', 'application/json'],
    ['text/html;level=1;q=0.5', 'text/html'],
    ['text/html;q=0', 'text/plain'],
    ['text/html;q=nonsense', 'text/plain'],
    ['text/*', 'text/plain'],
    ['*/*', 'text/plain'],
    ['image/png', 'text/plain'],
    ['', 'text/plain'],
    [',;,q=1,;;', 'text/plain'],
  ])('Accept: %s: %s', async (accept, type) => {
    expect((await ask(new Error('x'), accept, false)).header('Content-Type')).toContain(type);
  });
});

test('other responses stay as they are', async () => {
  const app = new Application()
    .use(errorPage({ development: true }))
    .get('/own', () => HttpResponse.text('my own page', { status: 500 }))
    .get('/', () => 'fine');
  const own = await app.inject({ target: '/own', headers: { Accept: BROWSER } });
  expect([own.status, own.text(), own.header('Vary')]).toEqual([500, 'my own page', undefined]);
  expect((await app.inject({ headers: { Accept: BROWSER } })).text()).toBe('fine');
});

test('a path without a route has a page too, and 405 keeps its Allow', async () => {
  const app = new Application().use(errorPage()).get('/', () => 'fine');
  expect((await app.inject({ target: '/missing', headers: { Accept: BROWSER } })).text()).toContain('404 Not Found');
  const notAllowed = await app.inject({ method: 'POST', headers: { Accept: BROWSER } });
  expect([notAllowed.status, notAllowed.header('Allow')]).toEqual([405, 'GET, HEAD']);
});

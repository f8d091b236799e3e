// What adapting a handler does to the platform's globals: nothing, where the platform takes a light Request as it is.

import { fromFetch } from '../../../lib/adapters/fetch/index.ts';

const platform = { Request: globalThis.Request, fetch: globalThis.fetch };
const bySymbols = Object.getOwnPropertySymbols(new Request('http://localhost/')).length > 0;

test('light: false leaves them alone', () => {
  fromFetch(() => new Response(), { light: false });
  expect(globalThis.Request).toBe(platform.Request);
  expect(globalThis.fetch).toBe(platform.fetch);
});

test('they are replaced only where the platform keeps its state in private fields, and once', () => {
  fromFetch(() => new Response());
  expect(globalThis.Request === platform.Request).toBe(bySymbols);
  expect(globalThis.fetch === platform.fetch).toBe(bySymbols);
  const { Request: first, fetch: firstFetch } = globalThis;
  fromFetch(() => new Response());
  expect(globalThis.Request).toBe(first);
  expect(globalThis.fetch).toBe(firstFetch);
});

test('what is there then is the same to everybody', async () => {
  fromFetch(() => new Response());
  const mine = new (class Mine extends Request {})('http://localhost/x', { method: 'POST' });
  expect([Request.name, Request.length, Request.prototype]).toEqual(['Request', 1, platform.Request.prototype]);
  expect([mine instanceof Request, mine instanceof platform.Request, mine.constructor.name, mine.method]).toEqual([
    true,
    true,
    'Mine',
    'POST',
  ]);
  expect(new platform.Request('http://localhost/') instanceof Request).toBe(true);
  expect(new Request(new Request('http://localhost/y')).url).toBe('http://localhost/y');
  expect(() => new Request('nowhere')).toThrow('Failed to parse URL');
  expect(await (await fetch('data:text/plain,hello')).text()).toBe('hello');
  await expect(fetch('nowhere')).rejects.toThrow('Failed to parse URL');
});

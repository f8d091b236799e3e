// sameSitePath(): no redirect leads to another site.

import * as fc from 'fast-check';
import { sameSitePath } from '../../lib/auth/index.ts';

test.each([
  '/',
  '/admin/',
  '/a?b=c&d=%2F%2Fe',
  '/a#b',
  '/@evil.example',
  '/a//b',
  '/.//evil.example',
  '/%5Cevil.example',
])('%s is one', (text) => expect(sameSitePath(text)).toBe(text));

test.each([
  undefined,
  null,
  '',
  'admin',
  'https://evil.example/',
  'javascript:alert(1)',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/a\\b',
  '/\t/evil.example',
  '/\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '/\0/evil.example',
  '/a b',
  '/ä',
  '/\u2028',
  `/${'x'.repeat(2048)}`,
])('%j is none', (text) => expect(sameSitePath(text)).toBeUndefined());

test('whatever it lets through a browser takes to the same site', () => {
  const pieces = fc.constantFrom('/', '\\', '.', '..', '%2f', '%5c', ':', '@', '?', '#', '\t', '\n', ' ', 'evil.example', 'http:', 'ä'); // prettier-ignore
  const stays = (path: string): boolean =>
    new URL(path, 'https://site.example/login').origin === 'https://site.example';
  const texts = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));
  const through = fc.sample(texts, 20_000).flatMap((text) => sameSitePath(text) ?? []);
  expect(through.length).toBeGreaterThan(100);
  expect(through.filter((path) => !stays(path))).toEqual([]);
});

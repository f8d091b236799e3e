// What the documentation lists is what the code has: error codes, limits and their defaults.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULTS } from '../../lib/server/index.ts';

const root = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const CLASSES: readonly [name: string, file: string][] = [
  ['RequestError', 'lib/server/request-error.ts'],
  ['ResponseHeadError', 'lib/cgi/response-head.ts'],
  ['ProtocolError', 'lib/protocol/protocol-error.ts'],
  ['MalformedHeadError', 'lib/cgi/parse-response-head.ts'],
  ['ClientError', 'lib/client/client-error.ts'],
  ['DatabaseError', 'lib/db/errors/errors.ts'],
  ['MigrationError', 'lib/db/migrations/migration-error.ts'],
];

/** The members of the first union of upper-case words in a file: its class's codes. */
function codesInCode(file: string): string[] {
  const union =
    /(?:ErrorCode =|readonly code:)((?:\s*\|?\s*'[A-Z_]+')+)/.exec(read(file).replace(/^ *\/\/.*$/gm, ''))?.[1] ?? '';
  return [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code as string).sort();
}

function codesInDocs(name: string): string[] {
  const section =
    read('docs/errors.md')
      .split(/^## /m)
      .find((text) => text.startsWith(`${name}\n`)) ?? '';
  return [...section.matchAll(/^\| `([A-Z_]+)`\s/gm)].map(([, code]) => code as string).sort();
}

describe('docs/errors.md', () => {
  test.each(CLASSES)('lists the codes of %s', (name, file) => {
    const codes = codesInCode(file);
    expect(codes.length).toBeGreaterThan(1);
    expect(codesInDocs(name)).toEqual(codes);
  });
});

describe('docs/deployment.md', () => {
  test('lists every limit with its default', () => {
    const rows = [...read('docs/deployment.md').matchAll(/^\| `(\w+)`\s+\| (\d+|none)\s+\|/gm)];
    const listed = rows.map(([, name, value]) => [name, value === 'none' ? Infinity : Number(value)]);
    expect(Object.fromEntries(listed)).toEqual(DEFAULTS);
  });
});

describe('links between pages', () => {
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

  test.each(pages)('those of %s lead to files', (page) => {
    const folder = join(root, page, '..');
    const links = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link]) => link as string);
    for (const link of links) expect(() => readFileSync(join(folder, link))).not.toThrow();
  });
});

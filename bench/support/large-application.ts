// Writes a large application: thousands of modules, and the data that they build when they are loaded.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const GROUPS = 50;
const MODULES = 40; // of each group
const FUNCTIONS = 12; // of each module
const ROWS = 180; // of each module: some 100 MiB of heap in all

const POSTFORK = new URL('../../dist/index.js', import.meta.url).href;

/** How many modules it has, its main one included. */
export const LARGE_MODULES: number = GROUPS * (MODULES + 1) + 1;

/** Resolves to the path of its main module. Its default export answers as responders/hello.mjs does, from its data. */
export async function writeLargeApplication(folder: string): Promise<string> {
  const main = join(folder, 'large.mjs');
  await mkdir(folder);
  for (let group = 0; group < GROUPS; group += 1) {
    const place = join(folder, `group-${group}`);
    await mkdir(place);
    const members = Array.from({ length: MODULES }, (_, member) => group * MODULES + member);
    await Promise.all([
      ...members.map((id) => writeFile(join(place, `module-${id}.mjs`), moduleSource(id))),
      writeFile(join(place, 'index.mjs'), listSource(members.map((id) => `./module-${id}.mjs`))),
    ]);
  }
  const groups = Array.from({ length: GROUPS }, (_, group) => `./group-${group}/index.mjs`);
  await Promise.all([writeFile(join(folder, 'tables.mjs'), listSource(groups)), writeFile(main, MAIN)]);
  return main;
}

/** A module whose default export is the list of those of others. */
function listSource(paths: readonly string[]): string {
  const imports = paths.map((path, index) => `import m${index} from '${path}';`);
  return `${imports.join('\n')}\nexport default [${paths.map((_, index) => `m${index}`).join(', ')}];\n`;
}

/** Code of which most is never called, and a table: as an application and its packages are. */
function moduleSource(id: number): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, index) => `
export function compute${index}(input, options = {}) {
  const found = table.filter((row) => row.id % ${index + 2} === 0 && row.name !== input);
  if (found.length > (options.limit ?? ${id + index})) throw new RangeError(\`\${found.length} rows for \${input} in ${id}\`);
  return found.map(({ id, name, at }) => ({ id, name, at, sum: id * ${index + 3} + found.length }));
}
`,
  );
  return `// Module ${id}.
const table = Array.from({ length: ${ROWS} }, (_, index) => ({
  id: ${id * ROWS} + index,
  name: \`row \${index} of module ${id}\`,
  at: { page: index % 7, line: index / 3 },
  tags: [\`tag-\${index % 13}\`, 'module-${id}'],
}));
${functions.join('')}
export default table;
`;
}

const MAIN = `// The large application of bench/workers.ts.
import { Application, HttpResponse } from '${POSTFORK}';
import v8 from 'node:v8';
import vm from 'node:vm';
import groups from './tables.mjs';

const KEPT = 1000; // answers in a cache
const kept = [];
const body = 'x'.repeat(100);
const tables = groups.flat();
let served = 0;

const app = new Application();
app.get('/', () => {
  const table = tables[(served * 7919) % tables.length];
  kept[served++ % KEPT] = JSON.stringify(table.slice(0, 30));
  return HttpResponse.text(body);
});

// A worker that collects all its garbage has written to most pages that it shared.
v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');
process.on('SIGUSR2', () => collect());

export default app;
`;

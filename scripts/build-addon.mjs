// Compiles the addon of `--method fork` to build/Release/postfork.node, where it is missing or older than its source.
//
//     node scripts/build-addon.mjs [--install]
//
// With --install, as npm runs it, failing is no error: only `--method fork` needs the addon.

import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = join(ROOT, 'lib/prefork/addon/postfork.c');
const TARGET = join(ROOT, 'build/Release/postfork.node');
// Symbols are resolved at once (-z now): a forked child must not need the linker's lock, which may be held for ever.
const FLAGS = ['-std=gnu11', '-Wall', '-Wextra', '-O2', '-fvisibility=hidden', '-fPIC', '-shared', '-Wl,-z,now'];

function fail(why, advice) {
  console.error(`postfork: everything but --method fork works: ${why}. ${advice}`.trim());
  process.exit(process.argv.includes('--install') ? 0 : 1);
}

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** The command of the first C compiler there is. */
function compiler() {
  const named = process.env.CC?.trim().split(/\s+/) ?? [''];
  const candidates = [named, ['cc'], ['gcc'], ['clang']].filter(([command]) => command !== '');
  return candidates.find(([command, ...args]) => spawnSync(command, [...args, '--version']).status === 0);
}

function build() {
  if (process.platform !== 'linux') fail('it is for Linux', '');
  if (modified(TARGET) > modified(SOURCE)) return;
  const [command, ...args] =
    compiler() ?? fail('there is no C compiler', 'apt-get install gcc libc6-dev, then npm rebuild postfork');
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
  const temporary = `${TARGET}.${process.pid}`; // others may build at the same time, or have the old one open
  try {
    mkdirSync(dirname(TARGET), { recursive: true });
    const { status, stderr } = spawnSync(command, [...args, ...FLAGS, '-I', headers, '-o', temporary, SOURCE], {
      encoding: 'utf8',
    });
    if (status !== 0) {
      console.error(stderr);
      fail(`${command} could not compile its addon`, 'apt-get install gcc libc6-dev, then npm rebuild postfork');
    }
    renameSync(temporary, TARGET);
  } catch (error) {
    fail(error.message, '');
  } finally {
    rmSync(temporary, { force: true });
  }
}

build();

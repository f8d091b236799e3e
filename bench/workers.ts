// Workers by fork against workers by spawn: starts, memory, requests. `npx tsx bench/workers.ts --help`.

import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { positive } from './support/arguments.ts';
import { compileDriver } from './support/driver.ts';
import { LARGE_MODULES, writeLargeApplication } from './support/large-application.ts';
import { requireBuild } from './support/responder.ts';
import { inSession, progress } from './support/session.ts';
import { measureLoad } from './support/workers-load.ts';
import { measureMemory } from './support/workers-memory.ts';
import { measureStarts } from './support/workers-start.ts';

const PARTS = ['start', 'memory', 'load'] as const;
type Part = (typeof PARTS)[number];

interface Options {
  only: Part[];
  rounds: number;
  seconds: number;
  warmup: number;
}

const LARGE = 'large';

function parts(text: string): Part[] {
  return text.split(',').map((name) => {
    const found = PARTS.find((part) => part === name);
    if (found === undefined) throw new InvalidArgumentError(`known are ${PARTS.join(',')}`);
    return found;
  });
}

function readOptions(): Options {
  return new Command('bench/workers.ts')
    .description('postfork serve --method fork against --method spawn. Results on stdout.')
    .option('--only <parts>', `of ${PARTS.join(',')}`, parts, [...PARTS])
    .option(
      '--rounds <n>',
      'rounds of load, and a third as many of starts and memory; medians are printed',
      positive,
      5,
    )
    .option('--seconds <s>', 'counted seconds of each load', positive, 1)
    .option('--warmup <s>', 'seconds before them', positive, 1)
    .parse()
    .opts<Options>();
}

const responder = (name: string): string => fileURLToPath(new URL(`responders/${name}.mjs`, import.meta.url));

const options = readOptions();

await inSession(async (session) => {
  await requireBuild();
  const binary = await compileDriver();
  const hello = responder('hello');
  const scarce = Math.ceil(options.rounds / 3);
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}`;
  console.log(`${machine}; medians\n`);
  const tables: Record<Part, (applications: Record<string, string>) => Promise<string>> = {
    start: (applications) => measureStarts(applications, scarce, session),
    memory: (applications) => measureMemory(applications, LARGE, scarce, binary, session),
    load: () => measureLoad({ hello, garbage: responder('garbage') }, options, binary, session),
  };
  const applications: Record<string, string> = { hello };
  if (options.only.some((part) => part !== 'load')) {
    applications[LARGE] = await writeLargeApplication(join(session.folder, LARGE));
    progress(`the large application has ${LARGE_MODULES} modules`);
  }
  for (const part of PARTS) {
    if (options.only.includes(part)) console.log(`${await tables[part](applications)}\n`);
  }
  return 0;
});

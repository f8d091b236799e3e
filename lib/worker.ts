// The program of a worker's process, or of the zygote's, as its first argument says. Started by the arbiter.

import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--semi-space-growth-factor=1'); // see cli.ts
const { workerProcess } = await import('./commands/index.ts');
await workerProcess(process.argv[2]);

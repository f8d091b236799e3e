#!/usr/bin/env node
// The `postfork` command. Everything else is in commands/.

import { setFlagsFromString } from 'node:v8';

// Where everything young dies at once, as in a server, a young generation that grows only makes the process larger: by 15 MiB
// and more when bodies stream (bench/memory.ts), for no time that could be measured (bench/requests.ts). It grows while
// modules load, so this comes before they do.
setFlagsFromString('--semi-space-growth-factor=1');
const { main } = await import('./commands/index.ts');
await main();

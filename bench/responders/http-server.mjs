// An application of bench/frameworks.ts on Node's own http server: `node http-server.mjs APPLICATION.mjs SOCKET`.

import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [, , file, socketPath] = process.argv;
const { default: application } = await import(pathToFileURL(file).href);

await application.ready?.(); // Fastify
createServer(application.routing ?? application).listen(socketPath, () => process.stderr.write('ready\n'));

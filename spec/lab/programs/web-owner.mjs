// Owns a lighttpd and an nginx until it is ended: node web-owner.mjs <lab> <configuration of lighttpd> <folder>

import { pathToFileURL } from 'node:url';

const [lab, config, folder] = process.argv.slice(2);
const { LighttpdServer, NginxServer } = await import(pathToFileURL(lab).href);
const values = { POSTFORK_ROOT: folder, POSTFORK_SOCKET: `${folder}/app.sock` };
const servers = [
  await LighttpdServer.create({ config, environment: values }),
  await NginxServer.create({ to: 'unix:/nobody/listens.sock' }),
];
process.once('SIGINT', () => process.stdout.write('interrupted\n'));
process.once('SIGTERM', () => Promise.all(servers.map((server) => server.remove())));
process.stdout.write(`${JSON.stringify(servers.map(({ pid, port }) => ({ pid, port })))}\n`);

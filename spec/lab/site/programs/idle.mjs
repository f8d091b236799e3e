// Has an open connection and no use for it: node idle.mjs <drivers of the lab's site> <driver> <url>

import { pathToFileURL } from 'node:url';

const [drivers, name, url] = process.argv.slice(2);
const { connectBy } = await import(pathToFileURL(drivers).href);
const connection = await connectBy(name)(url);
const [{ pid }] = await connection.query('SELECT pg_backend_pid() AS pid');
const keepAlive = setInterval(() => {}, 60_000);
process.once('SIGTERM', () => {
  clearInterval(keepAlive);
  connection.query('SELECT 1').catch((error) => {
    process.stdout.write(`at its next query: ${error.message}\n`);
    return connection.close();
  });
});
process.stdout.write(`backend ${pid} port ${connection.port}\n`);

// A program that makes two requests, and never closes its client. Run by spec/client/process.spec.ts.

import { Client } from '../../lib/client/index.ts';

const client = new Client({ address: process.argv[2] ?? '', headTimeout: Infinity }); // no timer keeps it running
for (let i = 0; i < 2; i++) {
  const response = await client.request({ params: {} });
  process.stdout.write(`${await response.text()}, ${client.connections} kept\n`);
}

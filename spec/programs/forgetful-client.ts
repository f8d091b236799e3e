// A program that makes one request, and never closes its client. Run by spec/client/process.spec.ts.

import { Client } from '../../lib/client/index.ts';

const client = new Client({ address: process.argv[2] ?? '' });
const response = await client.request({ params: {} });
process.stdout.write(`${await response.text()}, ${client.connections} kept\n`);

// Closes connections that are collected at once: node --expose-gc collected.mjs <drivers of the lab's site> <url> <pg-native>

import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [drivers, url, native] = process.argv.slice(2);
const { connectBy } = await import(pathToFileURL(drivers).href);
const connect = connectBy('pg-native', native);

async function useOne() {
  const connection = await connect(url);
  await connection.query('SELECT 1');
  await connection.close();
}

for (let count = 0; count < 10; count += 1) {
  await useOne();
  globalThis.gc();
  globalThis.gc();
  await turn();
}
process.stdout.write('done\n');

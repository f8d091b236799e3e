// Random values of a parent and of the children that it forks; tells them as JSON, by kind, one list for each process.

import './fork-family.mjs'; // before the modules that keep references

const VALUES = 300;
const CHILDREN = 8;

// As modules do that load before the fork.
const { random } = Math;
const { randomInt, randomUUID, randomBytes, getRandomValues, webcrypto } = await import('node:crypto');

const draw = {
  random: () => random(),
  randomOfMath: () => Math.random(),
  randomUUID: () => randomUUID(),
  randomUUIDOfWebCrypto: () => webcrypto.randomUUID(),
  randomInt: () => randomInt(2 ** 48 - 1),
  randomBytes: () => randomBytes(8).toString('hex'),
  getRandomValues: () => Buffer.from(getRandomValues(new Uint8Array(8))).toString('hex'),
  getRandomValuesOfWebCrypto: () => Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
};
const values = () =>
  Object.fromEntries(Object.entries(draw).map(([kind, next]) => [kind, Array.from({ length: VALUES }, next)]));

const drawnAsync = () => new Promise((resolve) => randomInt(2 ** 48 - 1, (_error, value) => resolve(value)));

async function main() {
  const { inChild } = await import('./fork-family.mjs');
  const reports = [values()]; // the caches are partly used
  const children = Array.from({ length: CHILDREN }, () =>
    inChild(async () => {
      const first = values();
      first.randomInt.push(await drawnAsync());
      process.stdout.write(JSON.stringify(first));
    }),
  );
  reports.push(values());
  for (const { stdout } of await Promise.all(children)) reports.push(JSON.parse(stdout));
  reports.push(values());
  process.stdout.write(JSON.stringify(reports), () => process.exit(0));
}

void main();

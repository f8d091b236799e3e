// Imports modules one after the other and tells, as JSON, what each of them did besides. Run by spec/imports.spec.ts with
// the path of dist/signals/signal.js and those of the modules.
//
// It has no exit of its own: where a module holds the process, it stays.

import { readdirSync, readlinkSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [signalModule, ...modules] = process.argv.slice(2);

// Before any other module has it: whoever connects a receiver is seen.
const { Signal } = await import(pathToFileURL(signalModule).href);
const connected = [];
const { connect } = Signal.prototype;
Signal.prototype.connect = function (receiver, options) {
  connected.push(`${this.name} ${receiver.name}`);
  return connect.call(this, receiver, options);
};

// Timers that do not hold the process are no active resources.
const timers = [];
for (const name of ['setTimeout', 'setInterval']) {
  const start = globalThis[name];
  globalThis[name] = (...args) => {
    timers.push(`${name} of ${args[1]} ms`);
    return start(...args);
  };
}

/** Open files and sockets, where the system shows them; what the process was started with aside. */
function descriptors() {
  if (process.platform !== 'linux') return [];
  const open = [];
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      open.push(`descriptor ${name} ${readlinkSync(`/proc/self/fd/${name}`)}`);
    } catch {
      // the one that listed them
    }
  }
  return open.filter((one) => !one.endsWith('/fd'));
}

const listeners = (emitter, name) =>
  emitter.eventNames().map((event) => `${name} listener ${String(event)} ${emitter.listenerCount(event)}`);

/** What an import must not add to. */
function state() {
  return [
    ...process.getActiveResourcesInfo().map((resource, at) => `resource ${at} ${resource}`),
    ...descriptors(),
    ...listeners(process, 'process'),
    ...listeners(process.stdout, 'stdout'),
    ...Reflect.ownKeys(globalThis).map((key) => `global ${String(key)}`),
    ...Object.entries(process.env).map(([name, value]) => `environment ${name}=${value}`),
    `working directory ${process.cwd()}`,
    ...timers.map((timer, at) => `timer ${at} ${timer}`),
    ...connected.map((receiver) => `receiver ${receiver}`),
  ];
}

const report = {};
await import('node:assert'); // opens stderr, as any import of it does
void globalThis.Response; // pg asks for it, and Node's fetch leaves a global of its own
state(); // opens stdout
await new Promise((resolve) => setImmediate(resolve));

for (const module of modules) {
  const before = new Set(state());
  try {
    await import(pathToFileURL(module).href);
    await new Promise((resolve) => setImmediate(resolve)); // what it has put off has begun
    report[module] = state().filter((one) => !before.has(one));
  } catch (error) {
    report[module] = [`error ${error.stack}`];
  }
}

process.stdout.write(JSON.stringify(report));

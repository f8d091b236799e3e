// A worker in a certain state, run by spec/prefork/arbiter/blocked-stack.spec.ts with the name of a function below. It says on stdout
// that it is ready, and what it does then.

import { pbkdf2Sync } from 'node:crypto';
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const say = (text) => process.stdout.write(`${text}\n`);

function spinForEver() {
  for (;;);
}

function handleRequest() {
  spinForEver();
}

function recurse(depth) {
  if (depth === 0) {
    block();
    spinForEver();
  }
  recurse(depth - 1);
}

/** Says that it is ready at once, not some turns of the event loop later. */
const ready = () => writeSync(1, 'ready\n');

const blocking = new Int32Array(new SharedArrayBuffer(4));

/** Has a thread say so: this one is in no call any more that a look at its stack could find. */
function block() {
  Atomics.store(blocking, 0, 1);
  Atomics.notify(blocking, 0);
}

const TELL = `
  Atomics.wait(require('node:worker_threads').workerData, 0, 0);
  require('node:fs').writeSync(1, 'ready\\n');
  Atomics.wait(require('node:worker_threads').workerData, 0, 1); // its end would be an event of the main thread
`;

const states = {
  loop() {
    block();
    handleRequest();
  },

  deep() {
    recurse(500);
  },

  /** In native code for half an hour: no system call, which the OS signal would interrupt. */
  native() {
    pbkdf2Sync('password', 'salt', 1, 64, 'sha512'); // its JavaScript is compiled
    block();
    pbkdf2Sync('password', 'salt', 2 ** 31 - 1, 64, 'sha512');
  },

  /** Native code too, but one that V8 can wake. */
  waiting() {
    block();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },

  /** Runs JavaScript now and then. */
  ticking() {
    let ticks = 0;
    setInterval(function tick() {
      say(`tick ${++ticks}`);
    }, 5);
    ready();
  },

  /** Runs JavaScript only where somebody says something. */
  idle() {
    process.stdin.on('data', (data) => say(`heard ${data}`));
    ready();
  },
};

const state = process.argv[2];
if (['loop', 'deep', 'native', 'waiting'].includes(state)) new Worker(TELL, { eval: true, workerData: blocking });

setImmediate(function begin() {
  states[state]();
});

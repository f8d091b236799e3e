// A worker in a certain state, run by spec/prefork/arbiter/blocked-stack.spec.ts with the name of a function below. It says on stdout
// that it is ready, and what it does then.

import { pbkdf2Sync } from 'node:crypto';
import { writeSync } from 'node:fs';

const say = (text) => process.stdout.write(`${text}\n`);

function spinForEver() {
  for (;;);
}

function handleRequest() {
  spinForEver();
}

function recurse(depth) {
  if (depth === 0) spinForEver();
  recurse(depth - 1);
}

/** Says that it is ready at once, not some turns of the event loop later: the next thing that it does is the step. */
const ready = () => writeSync(1, 'ready\n');

const states = {
  loop() {
    ready();
    handleRequest();
  },

  deep() {
    ready();
    recurse(500);
  },

  /** In native code for half an hour: no system call, which the OS signal would interrupt. */
  native() {
    pbkdf2Sync('password', 'salt', 1, 64, 'sha512'); // its JavaScript is compiled
    ready();
    pbkdf2Sync('password', 'salt', 2 ** 31 - 1, 64, 'sha512');
  },

  /** Native code too, but one that V8 can wake. */
  waiting() {
    ready();
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

setImmediate(function begin() {
  states[process.argv[2]]();
});

// Ways out of a forked child, each tried once; tells, as JSON, how each ended. With the name of one, it is done here instead,
// in a process that was not forked, which shows what Node itself does.

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));
const heard = (name) => process.on(name, (first) => console.log(`${name}: ${first?.message ?? first}`));

const WAYS = {
  exit() {
    heard('exit');
    process.exit(3);
  },
  exitOfText() {
    process.exitCode = '9';
    setTimeout(() => process.exit(), 1);
  },
  emptyLoop() {
    heard('beforeExit');
    heard('exit');
  },
  exitCode() {
    process.exitCode = 4;
    heard('exit');
  },
  moreWork() {
    let rounds = 0;
    process.on('beforeExit', async () => {
      rounds += 1;
      await Promise.resolve(); // not alive yet where the listeners end
      if (rounds < 3) await tick();
      console.log(`round ${rounds}`);
    });
    heard('exit');
  },
  exitBeforeExit() {
    process.on('beforeExit', () => process.exit(6));
    heard('exit');
  },
  uncaught() {
    heard('exit');
    setTimeout(() => {
      throw new TypeError('nobody catches it', { cause: new Error('the cause') });
    }, 1);
  },
  uncaughtText() {
    setTimeout(() => {
      throw 'only a text'; // oxlint-disable-line
    }, 1);
  },
  uncaughtAtOnce() {
    throw new RangeError('thrown in the first turn');
  },
  rejection() {
    heard('exit');
    void Promise.reject(new Error('nobody handles it'));
  },
  rejectionOfText() {
    void Promise.reject('only a text');
  },
  ownListener() {
    process.on('uncaughtException', (error, origin) => {
      console.log(`${origin}: ${error.message}`);
      setTimeout(() => process.exit(5), 1);
    });
    setTimeout(() => {
      throw new Error('taken');
    }, 1);
  },
  ownRejectionListener() {
    process.on('unhandledRejection', (error) => console.log(`took ${error.message}`));
    void Promise.reject(new Error('taken'));
  },
  throwingListener() {
    process.on('uncaughtException', () => {
      throw new Error('in the listener');
    });
    setTimeout(() => {
      throw new Error('the first');
    }, 1);
  },
  throwingExitListener() {
    process.on('exit', () => {
      throw new Error('at the exit');
    });
  },
  takenAtExit() {
    heard('uncaughtException');
    process.on('exit', () => {
      throw new Error('at the exit');
    });
  },
  throwingInExit() {
    process.on('exit', () => {
      throw new Error('at the exit');
    });
    setTimeout(() => process.exit(2), 1);
  },
  abort() {
    process.abort();
  },
  outOfMemory() {
    const all = [];
    for (;;) all.push(Array.from({ length: 1000 }, (_, at) => ({ at })));
  },
  terminated() {
    setInterval(() => {}, 1000);
    process.kill(process.pid, 'SIGTERM');
  },
  terminatedWhileBusy() {
    process.kill(process.pid, 'SIGTERM');
    for (;;);
  },
  output() {
    process.stdout.write('o'.repeat(20_000));
    process.stderr.write('e'.repeat(20_000));
    process.exit(0);
  },
};

const [only] = process.argv.slice(2);
if (only === undefined) void tryAll();
else WAYS[only]();

// Not in a top-level await: Node gives an empty loop another exit code there.
async function tryAll() {
  const { inChild } = await import('./fork-family.mjs');
  const report = {};
  for (const [name, way] of Object.entries(WAYS)) report[name] = await inChild(way);
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
}

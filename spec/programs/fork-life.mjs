// What works in a forked child, and what forking leaves behind in its parent; tells it as JSON.

import { exec, spawnSync } from 'node:child_process';
import { pbkdf2 } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { gunzip, gzip } from 'node:zlib';
import { inChild, native } from './fork-family.mjs';
import { unfinishedWork } from '../../dist/prefork/zygote/forked-process.js';

const listening = () => createServer((socket) => socket.end(`served by ${process.pid}`)).listen(0, '127.0.0.1');
const server = listening();
const held = setInterval(() => {}, 1000);

async function served(by) {
  const answer = connect(by.address().port, '127.0.0.1').setEncoding('utf8');
  let text = '';
  for await (const piece of answer) text += piece;
  return text;
}

const TRIALS = {
  pid: () => process.pid === Number(/^Pid:\t(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]),
  title: () => readFileSync('/proc/self/cmdline', 'utf8').startsWith('spec: forked'),
  timers: async () => delay(5, 'late'),
  sockets: async () => {
    const own = listening();
    await once(own, 'listening');
    return (await served(own)) === `served by ${process.pid}`;
  },
  sharedSocket: async () => {
    const allowed = [process.pid, process.ppid].map((pid) => `served by ${pid}`); // the parent accepts too
    const answers = await Promise.all(Array.from({ length: 50 }, () => served(server)));
    return answers.every((answer) => allowed.includes(answer));
  },
  files: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postfork-'));
    await writeFile(join(folder, 'file'), 'text');
    const text = await readFile(join(folder, 'file'), 'utf8');
    await rm(folder, { recursive: true });
    return text;
  },
  zlib: async () => String(await promisify(gunzip)(await promisify(gzip)('squeezed'))),
  crypto: async () => (await promisify(pbkdf2)('secret', 'salt', 1000, 8, 'sha256')).length,
  dns: async () => (await lookup('localhost')).address.length > 2,
  childProcess: async () => (await promisify(exec)('echo from a shell')).stdout,
  childProcessSync: () => spawnSync('sh', ['-c', 'exit 3']).status,
  childOfChild: async () => {
    const child = exec('kill -9 $$');
    const [code, signal] = await once(child, 'exit');
    return `${code} ${signal}`;
  },
  thread: async () => {
    // It is stopped while it still waits: with Node 26, one that has nothing left to do would not end by itself.
    const worker = new Worker("require('worker_threads').parentPort.on('message', () => {}).postMessage(process.pid)", {
      eval: true,
    });
    const [pid] = await once(worker, 'message');
    await worker.terminate();
    return pid === process.pid || pid;
  },
  threadThatExits: async () => (await once(new Worker('process.exit(4)', { eval: true }), 'exit'))[0],
  importing: async () => (await import('node:string_decoder')).StringDecoder.name,
  unhurt: () => /^Max core file size +([01]) /m.exec(readFileSync('/proc/self/limits', 'utf8')) !== null,
};

async function trials() {
  clearInterval(held);
  const report = {};
  for (const [name, trial] of Object.entries(TRIALS)) {
    report[name] = await Promise.resolve()
      .then(trial)
      .catch((error) => String(error));
  }
  console.error('all tried');
  console.log(JSON.stringify(report));
  process.exit(0);
}

const descriptors = () => readdirSync('/proc/self/fd').length;
const zombies = () => {
  const status = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return '';
    }
  };
  const ours = (pid) => status(pid).includes(` Z ${process.pid} `);
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && ours(name)).length;
};

async function unfinished() {
  const before = unfinishedWork();
  const work = [
    promisify(gzip)('x'),
    promisify(pbkdf2)('secret', 'salt', 1000, 8, 'sha256'),
    readFile('/proc/self/stat'),
    lookup('localhost'),
    served(server),
  ];
  const during = unfinishedWork();
  await Promise.all(work);
  await delay(5);
  return { before, during: during.toSorted(), after: unfinishedWork() };
}

function refused(call) {
  try {
    call();
  } catch (error) {
    return error.code;
  }
}

async function main() {
  await once(server, 'listening');
  await inChild(() => process.exit()); // what opens something once has done so
  const open = descriptors();
  const many = await Promise.all(Array.from({ length: 20 }, (_, at) => inChild(() => process.exit(at))));
  const killed = await inChild(
    () => setInterval(() => {}, 1000),
    ({ pid }) => process.kill(pid, 'SIGKILL'),
  );
  const tried = await inChild(trials);
  const thread = new Worker(
    `import(${JSON.stringify(new URL('../../dist/prefork/native.js', import.meta.url).href)}).then(({ loadNative }) => {
       try { loadNative().fork(3, 4, 5); } catch ({ code }) { require('worker_threads').parentPort.postMessage(code); }
     });`,
    { eval: true },
  );
  const [inThread] = await once(thread, 'message');
  await thread.terminate();
  const pair = native.socketpair();
  const report = {
    tried: JSON.parse(tried.stdout),
    stderr: tried.stderr,
    codes: many.map(({ code }) => code),
    pids: new Set(many.map(({ pid }) => pid)).size,
    killed: [killed.code, killed.signal],
    inThread,
    closed: refused(() => native.fork(pair[0], 900, 901)),
    low: refused(() => native.fork(pair[0], 1, 2)),
    noChild: refused(() => native.wait(many[0].pid)),
    anyChild: [0, -1].map((pid) => refused(() => native.wait(pid))),
    unfinished: await unfinished(),
    zombies: zombies(),
    left: 0,
  };
  report.left = descriptors() - open - 2; // but the pair
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
}

void main();

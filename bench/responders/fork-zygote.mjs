// The zygote of bench/fork-soak.ts: forks workers that serve lines on one shared socket, and replaces those that have had
// enough. Arguments: socket path, workers, requests of a worker. Writes what happens as JSON lines; ends with its stdin.

import { spawn } from 'node:child_process';
import { createHash, pbkdf2, randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import net, { createServer, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { compileFunction } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { gunzip, gzip } from 'node:zlib';
import { becomeForkedProcess } from '../../dist/prefork/zygote/forked-process.js';
import { loadNative } from '../../dist/prefork/native.js';
import { installForkSafeRandom } from '../../dist/prefork/zygote/randomness.js';

const [path, workers, limit] = process.argv.slice(2);
const native = loadNative();
const random = installForkSafeRandom();
const listening = net._createServerHandle(path, -1, -1); // bound, and not accepting: that is for the workers
const children = new Map(); // sockets and exit, by pid
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const inflate = promisify(gunzip);
const deflate = promisify(gzip);
const derive = promisify(pbkdf2);
const text = 'what is squeezed '.repeat(100);

/** Code that is optimized, and thrown away when it meets other types. */
function compute(number) {
  const add = compileFunction(`return a + b + ${number % 7}`, ['a', 'b']);
  let sum = number % 100 === 0 ? 'text' : 0;
  for (let at = 0; at < 500; at += 1) sum = add(sum, at);
  return sum;
}

const garbage = (number) => Array.from({ length: 100 }, (_, at) => ({ at, name: `${number}.${at}` })).at(-1).name;

/** From often to seldom: [every n-th request, what it does]. */
const WORK = [
  [3, async (number) => compute(number)],
  [10, async () => createHash('sha256').update(randomUUID()).digest('hex')],
  [20, async () => delay(1)],
  [50, async () => inflate(await deflate(text))],
  [100, async () => derive('secret', 'salt', 500, 32, 'sha256')],
  [100, async () => readFile('/proc/self/status')],
  [200, async () => lookup('localhost')],
  [2500, async () => once(spawn('true'), 'exit')],
  // It ends itself: see `fork` in lib/prefork/native.ts for Node 26.
  [2500, async () => once(new Worker('setTimeout(() => process.exit(), 1)', { eval: true }), 'exit')],
];

async function answer(number) {
  garbage(number);
  for (const [every, work] of WORK) {
    if (number % every === 0) await work(number);
  }
}

function serve(channel) {
  const end = Number(limit) * (0.75 + Math.random() / 2);
  let served = 0;
  let first = 0;
  const open = new Set();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => {
      open.delete(socket);
      if (!server.listening && open.size === 0) leave();
    });
    socket.setEncoding('utf8').on('error', () => {});
    socket.on('data', async (line) => {
      await answer(Number(line));
      served += 1;
      if (served === 1000) first = process.memoryUsage.rss();
      if (served >= end && server.listening) server.close();
      if (server.listening) socket.write(line);
      else socket.end(`bye ${line}`);
    });
  });
  const leave = () => {
    console.log(JSON.stringify({ served, growth: first && process.memoryUsage.rss() - first }));
    process.exit(0);
  };
  channel.on('close', () => process.exit(0)); // the zygote is gone
  server.listen({ fd: listening.fd, backlog: 511 });
}

function collect(fd) {
  const socket = new Socket({ fd }).setEncoding('utf8');
  let all = '';
  socket.on('data', (piece) => (all = (all + piece).slice(-4000)));
  return { socket, text: once(socket, 'close').then(() => all) };
}

let wanted = 0; // workers to fork in the next turn of the event loop

function want(number) {
  if (wanted === 0) setImmediate(forkWanted); // one callback: a child has what is left of the queue, too
  wanted += number;
}

function forkWanted() {
  while (wanted > 0) {
    wanted -= 1;
    forkWorker();
  }
}

function forkWorker() {
  const [channel, stdout, stderr] = [native.socketpair(), native.socketpair(), native.socketpair()];
  const pid = native.fork(channel[1], stdout[1], stderr[1]);
  if (pid === 0) {
    for (const [ours] of [channel, stdout, stderr]) closeSync(ours);
    for (const { sockets } of children.values()) {
      for (const socket of sockets) socket.removeAllListeners().destroy();
    }
    wanted = 0;
    process.removeAllListeners('SIGCHLD');
    process.stdin.removeAllListeners().pause().unref();
    becomeForkedProcess(native, random, { title: 'fork-soak: worker' });
    serve(new Socket({ fd: channel[1] }).resume());
    return;
  }
  for (const [, theirs] of [channel, stdout, stderr]) closeSync(theirs);
  const out = collect(stdout[0]);
  const err = collect(stderr[0]);
  const link = new Socket({ fd: channel[0] }).resume();
  children.set(pid, { sockets: [out.socket, err.socket, link], out, err });
  say({ type: 'forked', pid });
}

async function bury(pid, exit) {
  const { out, err } = children.get(pid);
  const [said, complaint] = await Promise.all([out.text, err.text]);
  children.delete(pid);
  if (ending && children.size === 0) process.exit(0);
  say({ type: 'ended', pid, ...exit, complaint, ...(said !== '' && JSON.parse(said)) });
}

const buried = new Set();
let ending = false;
process.on('SIGCHLD', () => {
  for (const pid of children.keys()) {
    const exit = buried.has(pid) ? undefined : native.wait(pid);
    if (exit === undefined) continue;
    buried.add(pid);
    void bury(pid, exit);
    if (!ending) want(1);
  }
});

process.stdin.resume().on('end', () => {
  ending = true; // the workers leave with their channels
  for (const { sockets } of children.values()) sockets.at(-1).destroy();
});
want(Number(workers));

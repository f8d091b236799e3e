// A parent that forks, for the programs fork-*.mjs: run with `node --v8-pool-size=0 --single-threaded`.

import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { becomeForkedProcess } from '../../dist/prefork/zygote/forked-process.js';
import { loadNative } from '../../dist/prefork/native.js';
import { installForkSafeRandom } from '../../dist/prefork/zygote/randomness.js';

export const native = loadNative();
const random = installForkSafeRandom();
const children = new Map(); // what to call at its end, by pid

process.on('SIGCHLD', () => {
  for (const [pid, ended] of children) {
    const exit = native.wait(pid);
    if (exit === undefined) continue;
    children.delete(pid);
    ended(exit);
  }
});

const sockets = new Set(); // the parent's ends; a child has no business with them

/** What a socket sends until its end. */
function text(fd) {
  let all = '';
  const socket = new Socket({ fd }).setEncoding('utf8').on('data', (piece) => (all += piece));
  sockets.add(socket);
  return new Promise((resolve) =>
    socket.once('close', () => {
      sockets.delete(socket);
      resolve(all);
    }),
  );
}

/** Fork; `run(channel)` is called in the child. Resolves in the parent when the child is gone: how, and what it has said. */
export async function inChild(run, onStarted) {
  const pairs = [native.socketpair(), native.socketpair(), native.socketpair()];
  const [channel, stdout, stderr] = pairs;
  const started = performance.now();
  const pid = native.fork(channel[1], stdout[1], stderr[1]);
  if (pid === 0) {
    for (const [ours] of pairs) closeSync(ours);
    for (const socket of sockets) socket.removeAllListeners().destroy();
    for (const ended of children.values()) clearInterval(ended.awake);
    becomeForkedProcess(native, random, { title: 'spec: forked' });
    run(new Socket({ fd: channel[1] }).unref());
    return new Promise(() => {}); // the parent's code ends here
  }
  for (const [, theirs] of pairs) closeSync(theirs);
  const awake = setInterval(() => {}, 1000); // the SIGCHLD listener does not hold the process
  const ended = new Promise((resolve) => children.set(pid, Object.assign(resolve, { awake })));
  const link = new Socket({ fd: channel[0] }).resume();
  sockets.add(link);
  const closed = new Promise((resolve) => link.once('close', resolve));
  onStarted?.({ pid, link });
  const [exit, out, err] = await Promise.all([ended, text(stdout[0]), text(stderr[0]), closed]);
  sockets.delete(link);
  clearInterval(awake);
  return { pid, ...exit, stdout: out, stderr: err, ms: performance.now() - started };
}

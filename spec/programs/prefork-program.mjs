// A program for workers, spawned (`spawn`) or forked (`zygote`): a server that tells each client its pid, then does what the client
// writes. What it does by itself is in its settings; what happens, in what order, it appends to a journal.

import { appendFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { runWorker, runZygote } from '../../dist/prefork/index.js';
import { after_fork, before_fork, request_finished } from '../../dist/signals/index.js';

let journal = () => {};
let onRequest = () => {};

/** What a client can have it do. */
const COMMANDS = {
  throw: () => setImmediate(() => { throw new Error('nobody catches it'); }), // prettier-ignore
  failRequest: () => setImmediate(() => { throw new Error('of one request'); }), // prettier-ignore
  reject: () => void Promise.reject(new Error('nobody handles it')),
  begin: () => onRequest(),
  finish: () => void request_finished.notify(undefined, { request: {}, error: undefined }),
};

/** What it can do while it loads. */
const LOADS = {
  rejects: () => Promise.reject(new TypeError('no such module')),
  hangs: () => new Promise((resolve) => setTimeout(resolve, 3_600_000)),
  exits: () => process.exit(3),
  throws: () => COMMANDS.throw() && LOADS.hangs(),
  async connects({ peer }) {
    await once(connect(peer), 'connect');
  },
};

const program = {
  async load(settings) {
    journal = (text) => settings.journal && appendFileSync(settings.journal, `${text}\n`);
    journal(`load ${process.pid}`);
    before_fork.connect(async ({ pid }) => {
      journal(`before_fork begins ${pid}`);
      await delay(20);
      journal(`before_fork ends ${pid}`);
    });
    after_fork.connect(async ({ pid, inWorker }) => {
      if (inWorker) await delay(20);
      journal(`after_fork ${pid} ${inWorker}`);
      if (inWorker && settings.exitAfterFork !== undefined) process.exit(settings.exitAfterFork);
    });
    if (settings.exitAfterFork !== undefined) after_fork.connect(() => {}); // the first one is asynchronous
    process.stdout.write('loaded\n');
    process.stderr.write('loading was no problem\n');
    await LOADS[settings.load]?.(settings);
  },

  log() {
    const write = (level) => (fields, message) => process.stderr.write(`${level}: ${message}\n`);
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  },

  async serve(settings, listener, worker) {
    ({ onRequest } = worker);
    journal(`serve ${process.pid}`);
    if (settings.serve === 'rejects') throw new Error('cannot listen');
    const sockets = new Set();
    let served = 0;
    let closing;
    const server = createServer((socket) => {
      sockets.add(socket);
      served += 1;
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.setEncoding('utf8').on('data', (text) => {
        for (const command of text.trim().split('\n')) {
          COMMANDS[command]();
          socket.write('done\n');
        }
      });
      socket.write(`${process.pid}\n`);
    }).listen({ fd: listener });
    await once(server, 'listening');
    return {
      load: () => ({ active: sockets.size, connections: sockets.size, served }),
      fail: (error) => error.message === 'of one request',
      closeWithAnswers: () => journal(`closeWithAnswers ${process.pid}`),
      async close({ timeout }) {
        closing ??= new Promise((resolve) => server.close(resolve));
        journal(`close ${process.pid} ${timeout}`);
        if (settings.close === 'rejects') throw new Error('cannot close');
        const force = setTimeout(() => sockets.forEach((socket) => socket.destroy()), Math.min(timeout, 2 ** 31 - 1));
        await closing;
        clearTimeout(force);
        journal(`closed ${process.pid}`);
      },
    };
  },
};

if (process.argv[2] === 'zygote') await runZygote(program);
else await runWorker(program);

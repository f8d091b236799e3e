// A zygote with an IPC channel: forks where a message says so, from within the listener, and answers all others itself.

import { readdirSync, readlinkSync } from 'node:fs';
import { inChild } from './fork-family.mjs';

const sockets = () =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
const ofChannel = readlinkSync(`/proc/self/fd/${process.channel.fd}`);
let heard = 0;

process.once('disconnect', () => {
  console.log('disconnect');
  process.exit(0);
});

process.on('message', (message) => {
  heard += 1;
  if (message !== 'fork') {
    process.send({ pong: message });
    return;
  }
  const before = heard;
  void inChild(
    (channel) => {
      channel.ref().resume();
      channel.once('data', () => {
        const { connected, channel: own = null } = process;
        console.log(
          JSON.stringify({
            heard: heard - before,
            connected,
            own,
            send: typeof process.send,
            open: sockets().includes(ofChannel),
          }),
        );
        process.exit(0);
      });
    },
    ({ link }) => setTimeout(() => link.write('tell'), 100),
  ).then(({ code, signal, stdout, stderr }) => process.send({ code, signal, stdout, stderr }));
});
process.send('ready');

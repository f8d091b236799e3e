// What is slow in bench/memory.ts, the same for Postfork and for the bare server.

import { setTimeout as pause } from 'node:timers/promises';

const MIB = 1024 * 1024;
const PIECE = 64 * 1024;

/** The pace of a handler: called with the bytes of the body so far, it waits 20 ms a MiB. */
export function makePace() {
  let paused = 0;
  return async (bytes) => {
    if (bytes - paused < MIB) return;
    paused = bytes;
    await pause(20);
  };
}

/** Before the body is read: a responder that does not push back has taken everything by the end of it. */
export const late = () => pause(1000);

/** New memory for each piece, as from a file: what waits anywhere must show. */
export async function* pieces(total) {
  for (let left = total; left > 0; left -= PIECE) yield Buffer.alloc(Math.min(PIECE, left), 'x');
}

/** `/large/1024` asks for an answer of 1024 MiB. */
export const mebibytes = (text) => Number(text) * MIB;

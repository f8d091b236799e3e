// The folder of a `postfork dev`, with its socket; and those that killed ones have left.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = /^postfork-dev-(\d+)-/;
const SOCKET = 'app.sock';

/** Make one. `at`: for the socket. Whoever makes it removes it. */
export async function developmentFolder(): Promise<{ path: string; at: string }> {
  await removeStale();
  const path = mkdtempSync(join(tmpdir(), `postfork-dev-${process.pid}-`));
  return { path, at: `unix:${join(path, SOCKET)}` };
}

/** Their process is not there, and nobody listens: it may be one of another container. Those of other users stay. */
async function removeStale(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || isThere(Number(pid))) continue;
    const path = join(tmpdir(), name);
    if (await listens(join(path, SOCKET))) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // it is somebody else's
    }
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => tell(true)).once('error', () => tell(false));
  });
}

// The pid file: where others read whom to send an OS signal to.

import { chmodSync, linkSync, lstatSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';

const MODE = 0o644; // whatever the umask: other users' tools read it
const MAX_BYTES = 32;

/** A pid file in place. */
export interface PidFile {
  readonly path: string;
  /**
   * Take it away where it still holds our pid. Returns whether it did: never throws, since a process that has changed its user
   * may not write to the folder any more.
   */
  remove(): boolean;
}

/**
 * Write a pid file in one step: whoever reads it finds a complete one. What a process that is gone has left is replaced.
 * Throws Error where a live process other than us is in it, where something else is at the path, or where it cannot be written.
 * As gunicorn's `Pidfile`.
 */
export function writePidFile(path: string, pid: number = process.pid): PidFile {
  const temporary = `${path}.${pid}.tmp`;
  try {
    rmSync(temporary, { force: true });
    writeFileSync(temporary, `${pid}\n`, { flag: 'wx' }); // x: never through a link that another user has put there
    chmodSync(temporary, MODE);
  } catch (cause) {
    throw new Error(`the pid file ${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
  try {
    putInPlace(temporary, path, pid);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  return { path, remove: () => removeIfOurs(path, pid) };
}

/** Of two processes that start at the same time, only one can link its file to a free path. */
function putInPlace(temporary: string, path: string, pid: number): void {
  try {
    linkSync(temporary, path);
    unlinkSync(temporary);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') refuseLiveHolder(path, pid);
    else if (code !== 'EPERM') throw error; // EPERM: a file system without hard links
    renameSync(temporary, path);
  }
}

function refuseLiveHolder(path: string, pid: number): void {
  const holder = readPid(path);
  if (holder === 'other') {
    throw new Error(`${path} exists and is not a pid file; remove it or choose another path`);
  }
  if (holder !== undefined && holder !== pid && isAlive(holder)) {
    throw new Error(
      `process ${holder} of the pid file ${path} is running; stop it first, or remove the file where that is another program`,
    );
  }
}

/** The pid in it; undefined where there is none in it, 'other' for what no pid file looks like. */
function readPid(path: string): number | 'other' | undefined {
  let text: string;
  try {
    const found = lstatSync(path);
    if (!found.isFile() || found.size > MAX_BYTES) return 'other';
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // its owner has just left
    throw error;
  }
  if (text === '') return undefined;
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 'other';
}

/** Whether a process has this id, our own or another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function removeIfOurs(path: string, pid: number): boolean {
  try {
    if (readPid(path) !== pid) return false;
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

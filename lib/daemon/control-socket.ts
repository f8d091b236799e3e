// The control socket: where the owner of the process, and nobody else, may ask how it does.

import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { isAlive } from './pid-file.ts';

const MAX_PATH = 107; // sun_path has 108 bytes with its end; Node cuts a longer path off silently
const MAX_CONNECTIONS = 16;
const ANSWER_WITHIN = 5000; // ms, from connecting to the last byte, on both sides
const MAX_ANSWER = 4 * 1024 * 1024; // bytes
const NO_ANSWER = 'it ended without an answer; try again'; // its end came, or all of its connections are taken
const NAME = /^([1-9]\d{0,9})\.control$/;

/** A control socket that answers. */
export interface ControlSocket {
  readonly path: string;
  /** Answer nobody any more and take the socket away, if it is still ours. Never rejects. */
  close(): Promise<void>;
}

/** The control socket of a process. */
export interface Control {
  readonly pid: number;
  readonly path: string;
}

/**
 * The folder for control sockets: `$XDG_RUNTIME_DIR/postfork`, else `/run/postfork` for root, else `postfork-<uid>` in the folder
 * for temporary files. Only a name: see makeControlFolder().
 */
export function controlFolder(environ: NodeJS.ProcessEnv, uid: number = process.geteuid?.() ?? 0): string {
  const runtime = environ['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && isAbsolute(runtime)) return join(runtime, 'postfork'); // relative: to be ignored, says XDG
  return uid === 0 ? '/run/postfork' : join(tmpdir(), `postfork-${uid}`);
}

/** A process's control socket in such a folder: `<pid>.control`. */
export function controlPath(folder: string, pid: number = process.pid): string {
  return join(folder, `${pid}.control`);
}

/**
 * Make the folder, mode 700, where it is not there. Throws Error where something else is in its place, or a folder that is not
 * ours or that others may enter: somebody may have put it there for us to fall into.
 */
export function makeControlFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new Error(`the folder for the control socket cannot be made: ${(cause as Error).message}`, { cause });
    }
  }
  refuseOthersFolder(folder);
}

function refuseOthersFolder(folder: string): void {
  const found = lstatSync(folder);
  if (!found.isDirectory()) throw new Error(`${folder} is not a folder (a link is none); remove it`);
  if (found.uid !== process.geteuid?.()) {
    throw new Error(
      `the folder ${folder} belongs to user ${found.uid}, not to us; remove it or choose another control socket`,
    );
  }
  if ((found.mode & 0o077) !== 0)
    throw new Error(`others may enter the folder ${folder}; set its mode with: chmod 700 ${folder}`);
}

/**
 * Answer whoever connects with one line of JSON, and end. What they send is not read. The socket has mode 600 from the moment
 * that it is there; what an ended process has left at the path is replaced in one step; the folder stays as it is. At most 16
 * connections at once, 5000 ms each. An `answer` that throws is answered with `{"error":"..."}`; nothing here ends the process.
 * Rejects with Error where the path cannot be used or is answered by another process.
 */
export async function serveControl(path: string, answer: () => object): Promise<ControlSocket> {
  const temporary = join(dirname(path), `.${process.pid}.${Math.random().toString(36).slice(2, 8)}`);
  for (const name of [path, temporary]) {
    if (Buffer.byteLength(name) > MAX_PATH) {
      throw new Error(`${name} is longer than the ${MAX_PATH} bytes of a unix socket's path; use a shorter folder`);
    }
  }
  await makeWay(path);
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    answerOne(socket, answer);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listenForOwner(server, temporary);
  server.on('error', () => {}); // of a connection that could not be accepted: whoever asks sees it
  let mark: string;
  try {
    mark = markOf(await lstat(temporary));
    await rename(temporary, path);
  } catch (error) {
    server.close(); // takes the temporary name away too
    throw error;
  }
  let closed: Promise<void> | undefined;
  return { path, close: () => (closed ??= close(server, sockets, path, mark)) };
}

/** What tells this file from a later one at its path: an inode's number is soon used again. */
function markOf({ ino, mtimeMs }: Stats): string {
  return `${ino} ${mtimeMs}`;
}

/** The mask narrows the mode before anybody can see the socket: Node binds within this call of listen(). */
function listenForOwner(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EACCES' ? 'its folder does not exist or may not be written to' : cause.message;
      reject(new Error(`the control socket ${path} cannot be made: ${why}`, { cause }));
    });
    const before = process.umask(0o177);
    try {
      server.listen({ path }, resolve);
    } finally {
      process.umask(before);
    }
  });
}

function answerOne(socket: Socket, answer: () => object): void {
  const deadline = setTimeout(() => socket.destroy(), ANSWER_WITHIN).unref();
  socket.once('close', () => clearTimeout(deadline));
  socket.on('error', () => {}); // it has gone
  let text: string;
  try {
    text = JSON.stringify(answer());
  } catch (error) {
    text = JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
  }
  socket.end(`${text}\n`, () => socket.destroy());
}

async function close(server: Server, sockets: ReadonlySet<Socket>, path: string, mark: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined && markOf(found) === mark) await unlink(path).catch(() => {}); // gone between the two, or not ours to remove any more
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const socket of sockets) socket.destroy();
  await closed;
}

async function makeWay(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; remove it or choose another path`);
  if (!(await isStale(path))) throw new Error(`another process answers at ${path}; choose another control socket`);
}

/** Whether nobody listens there any more. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT');
    });
  });
}

/**
 * What the process behind a control socket answers. Rejects with Error where nobody listens there, where we may not ask, and
 * where the answer is not JSON, has more than 4194304 bytes, or takes longer than 5000 ms.
 */
export function askControl(path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const socket = connect(path);
    const fail = (message: string, cause?: unknown): void => {
      reject(new Error(`${path}: ${message}`, { cause }));
      socket.destroy();
    };
    const deadline = setTimeout(() => fail(`no answer within ${ANSWER_WITHIN} ms`), ANSWER_WITHIN);
    socket.once('close', () => {
      clearTimeout(deadline);
      fail(NO_ANSWER); // unless all has been said
    });
    socket.once('error', (error: NodeJS.ErrnoException) => fail(explained(error), error));
    socket.on('data', (bytes: Buffer) => {
      pieces.push(bytes);
      length += bytes.length;
      if (length > MAX_ANSWER) fail(`the answer has more than ${MAX_ANSWER} bytes`);
    });
    socket.once('end', () => {
      try {
        resolve(JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown);
      } catch (error) {
        fail(length === 0 ? NO_ANSWER : 'the answer is not JSON; is this a control socket?', error);
      }
    });
  });
}

function explained(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return 'nobody answers there; the process has ended';
  if (error.code === 'ECONNRESET') return NO_ANSWER;
  if (error.code === 'EACCES') return 'only the owner of the process may ask';
  return error.message;
}

/**
 * The control sockets in a folder, by pid; none where there is no such folder. Those of ended processes are removed. Rejects where
 * the folder is not ours alone.
 */
export async function listControls(folder: string): Promise<Control[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`the control sockets cannot be listed: ${error.message}`, { cause: error });
  });
  if (names === undefined) return [];
  refuseOthersFolder(folder);
  const controls: Control[] = [];
  for (const name of names) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (Number.isNaN(pid)) continue;
    const path = join(folder, name);
    if (!isAlive(pid) && (await isStale(path))) await unlink(path).catch(() => {});
    else controls.push({ pid, path });
  }
  return controls.sort((a, b) => a.pid - b.pid);
}

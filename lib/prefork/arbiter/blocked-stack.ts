// Where the JavaScript of a worker is that does not come back to its event loop, asked of Node's inspector before the worker is
// killed. The inspector has a thread of its own: an OS signal starts it even while JavaScript runs in an endless loop.

import type { WebSocket } from 'ws';

const TIMEOUT = 2000;
const LEAVING = 200;
const MAX_FRAMES = 50;
const MAX_MESSAGE = 64 * 1024 * 1024; // bytes: a pause tells every frame of a deep recursion, and its scopes

// Node tells `process` that the inspector is on (`internalMessage`, NODE_DEBUG_ENABLED), in between of whatever runs. A look that
// comes so early sees that.
const ANNOUNCED = /^ {4}at emit \(node:events:/;

// The whole line and no other host: what an application writes must not lead us elsewhere.
const LISTENING = /^Debugger listening on (ws:\/\/127\.0\.0\.1:\d{1,5}\/[\da-f-]{36})\s*$/;

/**
 * What a worker's `execArgv` needs. The port is open from the OS signal on, on loopback, for every user of the machine; the
 * identifier that it asks for is told on stderr only (without the second option, http://127.0.0.1:port/json tells it).
 */
export const INSPECTABLE: readonly string[] = ['--inspect-port=127.0.0.1:0', '--inspect-publish-uid=stderr'];

export interface BlockedProcess {
  /**
   * A Node process that was started with {@link INSPECTABLE}. It gets SIGUSR1: others may die of that, and a blocking system call
   * may end in it with EINTR.
   */
  pid: number;
  /** Be told each whole line of its stderr from now on, until what is returned is called. */
  stderr: (listener: (line: string) => void) => () => void;
  /** Milliseconds until the stack must be there, 2000 if not given. Leaving takes at most 200 more. */
  timeout?: number;
}

/**
 * The stack of the JavaScript that a process runs, innermost call first, at most 50 lines as in an Error's:
 * `    at name (url:line:column)`. A process that is not blocked goes on; its inspector stays open.
 *
 * Undefined where it cannot be had: native code blocks (a long synchronous call of crypto or child_process), no JavaScript runs,
 * the process was forked (its inspector thread was not), is inspected already, or is gone. Never rejects.
 */
export async function blockedStack({ pid, stderr, timeout = TIMEOUT }: BlockedProcess): Promise<string | undefined> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), timeout);
  try {
    const { WebSocket } = await import('ws');
    const address = await startInspector(pid, stderr, deadline.signal);
    const socket = new WebSocket(address, { perMessageDeflate: false, maxPayload: MAX_MESSAGE });
    try {
      return await pausedStack(socket, deadline.signal);
    } finally {
      await leave(socket);
    }
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Its address. Rejects where there is no such process. */
async function startInspector(pid: number, stderr: BlockedProcess['stderr'], deadline: AbortSignal): Promise<string> {
  let stop: (() => void) | undefined;
  try {
    return await within<string>(deadline, (resolve) => {
      process.kill(pid, 'SIGUSR1');
      stop = stderr((line) => {
        const address = LISTENING.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      });
    });
  } finally {
    stop?.();
  }
}

/** Pause, and see where. */
function pausedStack(socket: WebSocket, deadline: AbortSignal): Promise<string> {
  return within(deadline, (resolve, reject) => {
    const scripts = new Map<string, string>();
    socket.on('error', reject); // stays: a socket that is terminated before it is open has one
    socket.on('close', () => reject(new Error('the inspector has left')));
    socket.on('open', () => {
      socket.send('{"id":1,"method":"Debugger.enable"}');
      socket.send('{"id":2,"method":"Debugger.pause"}');
    });
    socket.on('message', (data: Buffer) => {
      try {
        const { method, params } = JSON.parse(data.toString()) as Message;
        if (method === 'Debugger.scriptParsed') scripts.set(params.scriptId, params.url);
        if (method === 'Debugger.resumed') socket.send('{"id":5,"method":"Debugger.pause"}');
        if (method !== 'Debugger.paused') return;
        const stack = formatFrames(params.callFrames, scripts);
        if (!ANNOUNCED.test(stack)) return resolve(stack);
        socket.send('{"id":4,"method":"Debugger.resume"}');
      } catch (error) {
        reject(error as Error); // no inspector
      }
    });
  });
}

/**
 * End the session, and with it the pause. Not by closing alone: Node may crash (SIGSEGV, seen with 22) where a session goes while
 * its pause begins.
 */
async function leave(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.OPEN) {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVING);
      socket.on('close', () => resolve());
      socket.on('message', (data: Buffer) => {
        if (data.toString().startsWith('{"id":3,')) resolve();
      });
      socket.send('{"id":3,"method":"Debugger.disable"}');
    });
    clearTimeout(timer);
  }
  socket.terminate();
}

/** What `start` comes to before the deadline. */
function within<T>(
  deadline: AbortSignal,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    deadline.addEventListener('abort', () => reject(deadline.reason as Error));
    start(resolve, reject);
    if (deadline.aborted) reject(deadline.reason as Error);
  });
}

// The Chrome DevTools Protocol's Debugger domain: lines and columns count from 0.

type Message =
  | { method: 'Debugger.scriptParsed'; params: { scriptId: string; url: string } }
  | { method: 'Debugger.resumed'; params: object }
  | { method: 'Debugger.paused'; params: { callFrames: CallFrame[] } }
  | { method?: undefined; params?: undefined };

interface CallFrame {
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
}

function formatFrames(frames: readonly CallFrame[], scripts: ReadonlyMap<string, string>): string {
  const lines = frames.slice(0, MAX_FRAMES).map(({ functionName, location }) => {
    const { scriptId, lineNumber, columnNumber = 0 } = location;
    const place = `${scripts.get(scriptId) || '<anonymous>'}:${lineNumber + 1}:${columnNumber + 1}`;
    return functionName === '' ? `    at ${place}` : `    at ${functionName} (${place})`;
  });
  return lines.join('\n');
}

// Ends a server and removes its temporary folder when the process that owns them has ended, by SIGKILL too.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';

// A shell that reads from a pipe which only the owner can write to: each line is the process to end, or empty for none. The
// end of input means that the owner is gone. A container may have nobody to ask how an orphan has ended, which stays visible
// then, as a zombie (proc(5)).
const SCRIPT = `
trap '' HUP INT QUIT TERM
runs() {
  kill -0 "$1" 2>/dev/null || return 1
  case "$(cat "/proc/$1/stat" 2>/dev/null)" in *') Z '*) return 1 ;; esac
}
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ] && kill -s "$1" "$pid" 2>/dev/null; then
  tries=0
  while [ $tries -lt 100 ] && runs "$pid"; do sleep 0.05; tries=$((tries + 1)); done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf "$2" || { sleep 0.5; rm -rf "$2"; }
`;

export class Keeper {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  /**
   * `signal`: what a process gets that is left over, such as QUIT; 5 s later it is SIGKILL. `folder`: removed after it.
   */
  constructor(folder: string, signal: 'INT' | 'QUIT' | 'TERM') {
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'keeper', signal, folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      detached: true, // neither Ctrl-C nor a signal to the owner's group may end it
    });
    child.stdin.on('error', () => {}); // it was killed: then there is no keeper any more
    this.#ended = new Promise((resolve) => {
      child.once('error', () => resolve()).once('close', () => resolve());
    });
    child.unref();
    (child.stdin as Writable & { unref?: () => void }).unref?.();
    this.#child = child;
  }

  /** This process is to be ended with its owner. */
  watch(pid: number): void {
    this.#child.stdin?.write(`${pid}\n`);
  }

  /** There is none any more; its number may be another process's soon. */
  forget(): void {
    this.#child.stdin?.write('\n');
  }

  /** Have it do its work now. Resolves when it is done. */
  async end(): Promise<void> {
    this.#child.ref();
    this.#child.stdin?.end();
    await this.#ended;
  }
}

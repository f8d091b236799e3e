// EndingSignals: the OS signals that end a command that has something to clean up.

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What came before there was somebody to hand it on to is handed on then. */
export class EndingSignals {
  came: NodeJS.Signals | undefined;
  #receive: ((signal: NodeJS.Signals) => void) | undefined;
  readonly #hear = (signal: NodeJS.Signals): void => {
    this.came = signal;
    this.#receive?.(signal);
  };
  /** Nobody reads any more, as behind `| head`. Node ignores SIGPIPE, and throws what a write says of it. */
  readonly #hearPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE' && this.came === undefined) this.#hear('SIGPIPE');
  };

  constructor() {
    for (const name of ENDING) process.on(name, this.#hear);
    for (const stream of [process.stdout, process.stderr]) stream.on('error', this.#hearPipe);
  }

  handOnTo(receive: (signal: NodeJS.Signals) => void): void {
    this.#receive = receive;
    if (this.came !== undefined) receive(this.came);
  }

  /** A closed pipe stays without a word: what is left to be said has nobody to read it. */
  close(): void {
    for (const name of ENDING) process.off(name, this.#hear);
  }
}

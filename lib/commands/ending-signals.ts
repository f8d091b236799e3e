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

  constructor() {
    for (const name of ENDING) process.on(name, this.#hear);
  }

  handOnTo(receive: (signal: NodeJS.Signals) => void): void {
    this.#receive = receive;
    if (this.came !== undefined) receive(this.came);
  }

  close(): void {
    for (const name of ENDING) process.off(name, this.#hear);
  }
}

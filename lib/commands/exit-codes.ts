// Exit codes of the command, beside 0 (it did what it was told) and 1 (it could not).

/** The application cannot be loaded, or its workers do not start; gunicorn's WORKER_BOOT_ERROR. */
export const BOOT_FAILED = 3;

/** An error that the command ends with. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

// Where servers are installed, also for users whose PATH does not have it.

/** PATH, with the system's folders behind what it is. */
export function serverPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
}

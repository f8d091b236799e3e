// Why a connection could not be made, in words that help.

/** What the system's error means for who runs the application. */
export function connectMessage(error: Error | undefined): string {
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'ENOENT':
      return 'there is no such socket; is the application running?';
    case 'ECONNREFUSED':
      return 'nobody listens there; is the application running?';
    case 'EACCES':
      return 'no permission to connect; the socket must be writable for this user (its mode and its folder)';
    case 'EAGAIN':
      return "the application's backlog is full";
    default:
      return `cannot connect: ${error?.message ?? 'closed'}`;
  }
}

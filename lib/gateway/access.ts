// Access: what became of one request, and its line in a log.

export interface Access {
  readonly time: Date;
  readonly remoteAddress: string;
  readonly method: string;
  /** As the client sent it. */
  readonly target: string;
  /** 499, nginx's word for it, where the client went away before there was an answer. */
  readonly status: number;
  /** Bytes of the answer's body that were sent. */
  readonly bytes: number;
  /** Milliseconds from its head to the end of its answer. */
  readonly duration: number;
  /** `complete`; `cut` where the application broke off in the middle, or the client took too long; `gone` where the client left. */
  readonly end: 'complete' | 'cut' | 'gone';
}

/** `12:03:44 GET /users/7 200 12 ms 345 B`. `color`: for a terminal. */
export function accessLine(access: Access, { color = false }: { color?: boolean } = {}): string {
  const { time, method, target, status, duration, bytes, end } = access;
  const shownStatus = color ? `\x1b[${colorOf(status)}m${status}\x1b[0m` : String(status);
  const words = [
    time.toTimeString().slice(0, 8),
    method,
    printable(target),
    shownStatus,
    `${duration < 10 ? duration.toFixed(1) : Math.round(duration)} ms`,
    sizeText(bytes),
  ];
  if (end === 'cut') words.push('(cut)');
  if (end === 'gone') words.push('(the client left)');
  return words.join(' ');
}

/** Control characters and what is not ASCII as \xNN: what others send must not command a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** Green, cyan, yellow, red. */
function colorOf(status: number): number {
  return status >= 500 ? 31 : status >= 400 ? 33 : status >= 300 ? 36 : 32;
}

// The answer that every responder gives, and how it is started: `node NAME.mjs SOCKET [ANSWER_BYTES]`.

/** Where to listen. */
export const socketPath = process.argv[2];
if (socketPath === undefined) throw new Error(`usage: node ${process.argv[1]} SOCKET [ANSWER_BYTES]`);

/** The body, as text of one byte a character. */
export const body = 'x'.repeat(Number(process.argv[3] ?? process.env.ANSWER_BYTES ?? 100));

/** The body as bytes, for those that would otherwise encode it for every answer. */
export const bodyBytes = Buffer.from(body, 'latin1');

/** Tell the benchmark that connections are accepted, and end with it, however it ends: its end closes our stdin. */
export function ready() {
  process.stdin.resume();
  process.stdin.on('end', () => process.exit());
  process.stdout.write('ready\n');
}

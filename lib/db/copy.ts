// COPY by streams: rows in bulk, in and out (PostgreSQL manual, COPY), on pg-copy-streams.

import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as othersTurn } from 'node:timers/promises';
import { from as copyIn, to as copyOut } from 'pg-copy-streams';
import type { Connection } from './connection/index.ts';
import { ProgrammingError, withCaller } from './errors/index.ts';
import type { Executor } from './scope/index.ts';
import { statements } from './sql/index.ts';

/** What COPY FROM STDIN reads: text or bytes in pieces of any size. */
export type CopySource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

export interface CopyOptions {
  /** Of the query, in errors. */
  name?: string;
}

const JOINED = 16_384; // characters of texts that are put together
const TURN = 16_384; // characters or bytes until others have their turn

// In an outline without what is in parentheses: columns, queries, options.
const FROM = /^copy\b(?:(?!\b(?:from|to)\b)[\s\S])*\bfrom\s+stdin\b/i;
const TO = /^copy\b(?:(?!\b(?:from|to)\b)[\s\S])*\bto\s+stdout\b/i;

/** Resolves to the number of rows, when the server has them all. An error of the source undoes it, and is what it rejects with. */
export async function copyFrom(
  executor: Executor,
  text: string,
  source: CopySource,
  options: CopyOptions,
): Promise<number> {
  if (!isCopy(text, FROM)) throw notCopy('copyFrom', 'COPY ... FROM STDIN', options);
  if (typeof source !== 'string' && !isIterable(source)) throw notPieces(source);
  return executor.run(async (connection) => {
    const failure: Failure = {};
    try {
      return await connection.run(
        async (client) => {
          const sink = client.query(copyIn(text));
          await feed(sink, source, failure);
          return sink.rowCount;
        },
        { text, queryName: options.name },
      );
    } catch (error) {
      throw 'error' in failure ? failure.error : error; // the server only says that the copy was given up
    }
  });
}

/** What the server sends, in pieces as they come. Ended early, it is cancelled on the server. */
export async function* copyTo(
  executor: Executor,
  text: string,
  options: CopyOptions,
): AsyncGenerator<Buffer, void, undefined> {
  if (!isCopy(text, TO)) throw notCopy('copyTo', 'COPY ... TO STDOUT', options);
  try {
    yield* pieces(await open(executor, text, options));
  } catch (error) {
    throw withCaller(error);
  }
}

async function* pieces(copying: Copying): AsyncGenerator<Buffer, void, undefined> {
  const { stream, connection, done } = copying;
  let whole = false;
  try {
    for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece as Buffer;
    whole = true;
  } catch {
    // `done` has it, as an error of PEP 249
    whole = true;
  } finally {
    if (!whole && !copying.isOver) {
      stream.on('error', () => {}).resume();
      await connection.stop();
      await done.catch(() => {});
    }
  }
  await done;
}

interface Copying {
  stream: Readable;
  connection: Connection;
  /** Whether the last piece was taken: the connection may be another one's by now. */
  isOver: boolean;
  /** Rejects with what went wrong. */
  done: Promise<unknown>;
}

function open(executor: Executor, text: string, options: CopyOptions): Promise<Copying> {
  return new Promise((resolve, reject) => {
    const done: Promise<unknown> = executor.run((connection) => {
      executor.heed(connection, { text, name: options.name }); // COPY has queries
      return connection.run(
        (client) => {
          const stream = client.query(copyOut(text));
          const copying: Copying = {
            stream,
            connection,
            isOver: false,
            get done() {
              return done;
            },
          };
          resolve(copying);
          return finished(stream).finally(() => (copying.isOver = true));
        },
        { text, queryName: options.name },
      );
    });
    done.catch(reject);
  });
}

/** What the source has thrown. */
interface Failure {
  error?: unknown;
}

/**
 * Resolves when the server has all, and rejects with its error, for which no source is waited for. One of the source is put into
 * `failure`; its words are not sent to the server, whose log would have them.
 */
function feed(sink: Writable, source: CopySource, failure: Failure): Promise<void> {
  const pieces = joined(source);
  let over = false;
  const pour = async (): Promise<void> => {
    let taken = 0;
    for (;;) {
      const { done, value } = await pieces.next();
      if (over) return;
      if (done === true) {
        sink.end();
        return;
      }
      await written(sink, value);
      taken += value.length;
      if (taken >= TURN) {
        taken = 0;
        await othersTurn(); // nothing else happens while neither the source nor the connection is waited for
      }
      if (over) return;
    }
  };
  return new Promise((resolve, reject) => {
    sink.once('finish', resolve);
    sink.on('error', (error) => {
      if (!over && !('error' in failure)) void pieces.return().catch(() => {});
      over = true;
      reject(error);
    });
    pour().catch((error: unknown) => {
      if (over) return;
      failure.error = error;
      sink.destroy(new Error('the source of the rows has failed'));
    });
  });
}

/** Resolves when the connection has taken it. One at a time: behind an error pg-copy-streams goes on with what it has, and throws. */
function written(sink: Writable, piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => void sink.write(piece, () => resolve()));
}

/** Short texts in larger pieces: each piece costs two system calls. libpq gathers as much before it sends. */
async function* joined(source: CopySource): AsyncGenerator<string | Uint8Array, void, undefined> {
  let text = '';
  for await (const piece of typeof source === 'string' ? [source] : source) {
    const short = typeof piece === 'string';
    if (!short && !(piece instanceof Uint8Array)) throw notPieces(piece);
    if (short) text += piece;
    if (text !== '' && (!short || text.length >= JOINED)) {
      yield text;
      text = '';
    }
    if (!short) yield piece;
  }
  if (text !== '') yield text;
}

function isIterable(source: unknown): boolean {
  return typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source);
}

function notPieces(given: unknown): TypeError {
  const text = "copyFrom takes text or bytes in COPY's format, such as `1\\tmilk\\n`, in pieces of any size";
  return new TypeError(`${text}; this is a value of type ${Array.isArray(given) ? 'array' : typeof given}`);
}

/** Anything else than one COPY would be answered in a way that pg-copy-streams does not know, and the process would end by that. */
function isCopy(text: string, pattern: RegExp): boolean {
  const [statement = '', ...more] = statements(text);
  return more.length === 0 && pattern.test(withoutParentheses(statement));
}

function withoutParentheses(text: string): string {
  let depth = 0;
  return text.replace(/[()]|[^()]+/g, (part) => {
    if (part === '(') depth++;
    if (part === ')') depth = Math.max(0, depth - 1);
    return depth > 0 || part === ')' ? ' ' : part;
  });
}

function notCopy(method: string, wanted: string, { name }: CopyOptions): ProgrammingError {
  return new ProgrammingError(`${method} takes one statement like ${wanted}`, { code: 'REFUSED', queryName: name });
}

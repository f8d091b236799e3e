// COPY by streams: rows in bulk, in and out (PostgreSQL manual, COPY), on pg-copy-streams.

import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { from as copyIn, to as copyOut } from 'pg-copy-streams';
import type { Connection } from './connection.ts';
import { ProgrammingError } from './errors.ts';
import type { Executor } from './executor.ts';

/** What COPY FROM STDIN reads: text or bytes in pieces of any size. */
export type CopySource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

export interface CopyOptions {
  /** Of the query, in errors. */
  name?: string;
}

const FROM = /^\s*copy\b[\s\S]*\bfrom\s+stdin\b/i;
const TO = /^\s*copy\b[\s\S]*\bto\s+stdout\b/i;

/** Resolves to the number of rows, when the server has them all. An error of the source undoes it. */
export async function copyFrom(
  executor: Executor,
  text: string,
  source: CopySource,
  options: CopyOptions,
): Promise<number> {
  if (!FROM.test(text)) throw notCopy('copyFrom', 'COPY ... FROM STDIN', options);
  return executor.run(async (connection) => {
    let failure: { error: unknown } | undefined;
    try {
      return await connection.run(
        async (client) => {
          const sink = client.query(copyIn(text));
          await pipeline(Readable.from(watched(source, (error) => (failure = { error }))), sink);
          return sink.rowCount;
        },
        { queryName: options.name },
      );
    } catch (error) {
      if (failure !== undefined) throw failure.error; // the server only says that the copy was given up
      throw error;
    }
  });
}

/** What the server sends, in pieces as they come. Ended early, it is cancelled on the server. */
export async function* copyTo(
  executor: Executor,
  text: string,
  options: CopyOptions,
): AsyncGenerator<Buffer, void, undefined> {
  if (!TO.test(text)) throw notCopy('copyTo', 'COPY ... TO STDOUT', options);
  const { stream, connection, done } = await open(executor, text, options);
  let whole = false;
  try {
    for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece as Buffer;
    whole = true;
  } catch {
    // `done` has it, as an error of PEP 249
    whole = true;
  } finally {
    if (!whole) {
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
  /** Rejects with what went wrong. The connection is taken until then. */
  done: Promise<unknown>;
}

function open(executor: Executor, text: string, options: CopyOptions): Promise<Copying> {
  return new Promise((resolve, reject) => {
    const done: Promise<unknown> = executor.run((connection) =>
      connection.run(
        (client) => {
          const stream = client.query(copyOut(text));
          resolve({
            stream,
            connection,
            get done() {
              return done;
            },
          });
          return finished(stream);
        },
        { queryName: options.name },
      ),
    );
    done.catch(reject);
  });
}

async function* watched(source: CopySource, failed: (error: unknown) => void): AsyncGenerator<string | Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    failed(error);
    throw error;
  }
}

function notCopy(method: string, wanted: string, { name }: CopyOptions): ProgrammingError {
  return new ProgrammingError(`${method} takes a statement like ${wanted}`, { code: 'REFUSED', queryName: name });
}

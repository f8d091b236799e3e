// Multipart forms (RFC 7578): fields and files in their order, files as streams.

import type { InputStream } from '../../server/index.ts';
import { HttpError } from '../http-error.ts';
import { FormReader, type FormPart } from './multipart-reader.ts';

/** Bounds on a multipart form. Beyond one of them reading it rejects with HttpError 413. */
export interface MultipartLimits {
  /** The most fields. Default 1000. */
  maxFields?: number;
  /** Bytes of one field's value. Default 1 MiB. */
  maxFieldBytes?: number;
  /** The most files. Default 100. */
  maxFiles?: number;
  /** Bytes of one file. Default 100 MiB. */
  maxFileBytes?: number;
  /** The most parts: fields, files and what is neither. Default 1000. */
  maxParts?: number;
  /** Header fields of one part; further ones are not looked at. Default 20. */
  maxHeaderPairs?: number;
  /** Bytes of one part's header; further ones are not looked at. Default 16 KiB. */
  maxHeaderBytes?: number;
}

/** A file that `collect` has read. */
export interface CollectedFile {
  name: string;
  filename: string;
  contentType: string;
  bytes: Buffer;
}

/** A whole form in memory. */
export interface CollectedForm {
  fields: URLSearchParams;
  files: CollectedFile[];
}

/**
 * A form that is on its way. Read it once, part by part or by `collect`:
 *
 *     for await (const part of request.multipart()) {
 *       if (part.kind === 'file') await pipeline(part.stream, createWriteStream(pathFor(part)));
 *       else fields.set(part.name, part.value);
 *     }
 *
 * The web server is read from as fast as the parts are taken. Leaving the loop leaves the rest unread. Reading rejects with
 * HttpError 400 for what is no form or ends too early, 413 beyond a limit, RequestError where the body does not come whole.
 */
export class MultipartForm implements AsyncIterable<FormPart> {
  readonly #open: () => FormReader;
  readonly #maxBytes: number;
  #read = false;

  /** Made by `request.multipart()`. */
  constructor(open: () => FormReader, maxBytes: number) {
    this.#open = open;
    this.#maxBytes = maxBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FormPart, void, void> {
    if (this.#read) throw new TypeError('a multipart form can be read once');
    this.#read = true;
    const reader = this.#open();
    try {
      for (let part = await reader.next(); part !== undefined; part = await reader.next()) yield part;
    } finally {
      reader.close();
    }
  }

  /** The whole form in memory. `maxBytes`: of all names, values and files; default `request.maxBodyBytes`. Over it: 413. */
  async collect(maxBytes: number = this.#maxBytes): Promise<CollectedForm> {
    const form: CollectedForm = { fields: new URLSearchParams(), files: [] };
    let left = maxBytes;
    const take = (length: number): void => {
      left -= length;
      if (left < 0) throw new HttpError(413, `a form of more than ${maxBytes} bytes`);
    };
    for await (const part of this) {
      take(Buffer.byteLength(part.name));
      if (part.kind === 'field') {
        take(Buffer.byteLength(part.value));
        form.fields.append(part.name, part.value);
        continue;
      }
      const { name, filename, contentType } = part;
      take(filename.length + contentType.length);
      const pieces: Buffer[] = [];
      for await (const piece of part.stream) {
        take(piece.length);
        pieces.push(piece);
      }
      form.files.push({ name, filename, contentType, bytes: Buffer.concat(pieces) });
    }
    return form;
  }
}

/** Throws HttpError 415 unless the type is multipart/form-data, 400 where it names no boundary. */
export function parseMultipart(
  contentType: string | undefined,
  body: InputStream,
  maxBytes: number,
  limits: MultipartLimits = {},
): MultipartForm {
  if (contentType === undefined || !/^multipart\/form-data[ \t]*(?:;|$)/i.test(contentType)) {
    throw new HttpError(415, 'send the body as multipart/form-data');
  }
  // RFC 2046, 5.1.1: 1 to 70 characters.
  const match = /;[ \t]*boundary=(?:"([^"\\]{1,70})"|([^\s;"\\]{1,70}))[ \t]*(?:;|$)/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw new HttpError(400, 'the Content-Type of the form has no right boundary');
  return new MultipartForm(
    () =>
      new FormReader(body, boundary, {
        fields: limits.maxFields ?? 1000,
        fieldSize: limits.maxFieldBytes ?? 1024 * 1024,
        files: limits.maxFiles ?? 100,
        fileSize: limits.maxFileBytes ?? 100 * 1024 * 1024,
        parts: limits.maxParts ?? 1000,
        headerPairs: limits.maxHeaderPairs ?? 20,
        headerSize: limits.maxHeaderBytes ?? 16 * 1024,
      }),
    maxBytes,
  );
}

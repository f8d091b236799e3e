// FormReader: a body through @fastify/busboy, part by part, no faster than the parts are taken.

import type { Readable } from 'node:stream';
import { Busboy, type BusboyConfig, type BusboyInstance } from '@fastify/busboy';
import type { InputStream } from '../../server/index.ts';
import { HttpError } from '../http-error.ts';

export interface FormField {
  readonly kind: 'field';
  readonly name: string;
  readonly value: string;
}

export interface FormFile {
  readonly kind: 'file';
  readonly name: string;
  /** As the client says, without a path: never a name to store it under as it is. '' where no file was chosen. */
  readonly filename: string;
  /** As the client says, without parameters, in lower case. */
  readonly contentType: string;
  /** To be read once, before the next part is asked for; what is not read is skipped. */
  readonly stream: AsyncIterable<Buffer>;
}

export type FormPart = FormField | FormFile;

export class FormReader {
  readonly #body: InputStream;
  readonly #busboy: BusboyInstance;
  readonly #parts: { part: FormPart; content: FileContent | undefined }[] = [];
  #current: FileContent | undefined;
  #pumping = false;
  #ended = false;
  #failure: Error | undefined;
  #wakeReader: (() => void) | undefined;
  #wakePump: (() => void) | undefined;

  constructor(body: InputStream, boundary: string, limits: NonNullable<BusboyConfig['limits']>) {
    this.#body = body;
    this.#busboy = new Busboy({ headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` }, limits });
    const tooMany = (what: string, limit: number | undefined) => () =>
      this.#fail(new HttpError(413, `a form of more than ${limit} ${what}`));
    this.#busboy
      .on('field', (name, value, _nameCut, cut) => {
        if (cut) this.#fail(new HttpError(413, `a field of more than ${limits.fieldSize} bytes`));
        else this.#add(name, { kind: 'field', name, value });
      })
      .on('file', (name, stream, filename: string | undefined, _encoding, contentType) => {
        const content = new FileContent(stream, () => this.#failure);
        stream.on('limit', () => this.#fail(new HttpError(413, `a file of more than ${limits.fileSize} bytes`)));
        this.#add(name, { kind: 'file', name, filename: filename ?? '', contentType, stream: content }, content);
      })
      .on('fieldsLimit', tooMany('fields', limits.fields))
      .on('filesLimit', tooMany('files', limits.files))
      .on('partsLimit', tooMany('parts', limits.parts))
      .on('finish', () => this.#end())
      .on('error', (cause) => this.#fail(new HttpError(400, 'the body is not a whole multipart form', { cause })));
  }

  /** The next part, or undefined at the end. What was not read of the file before is skipped. */
  async next(): Promise<FormPart | undefined> {
    if (this.#current?.pass() === false) {
      this.#fail(new TypeError('the next part of a form was asked for while a file was still being read'));
    }
    this.#current = undefined;
    if (!this.#pumping) {
      this.#pumping = true;
      void this.#pump();
    }
    while (this.#parts.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    const next = this.#parts.shift();
    this.#current = next?.content;
    return next?.part;
  }

  /** Nobody reads on. */
  close(): void {
    this.#fail(new TypeError('the form is not being read any more'));
  }

  #add(name: string | undefined, part: FormPart, content?: FileContent): void {
    if (name === undefined) this.#fail(new HttpError(400, 'a part of the form has no name'));
    if (this.#ended) {
      content?.drop();
      return;
    }
    this.#parts.push({ part, content });
    this.#wakeReader?.();
  }

  /** Feeds the parser until the body ends or nobody reads on. Never rejects. */
  async #pump(): Promise<void> {
    try {
      for (let piece = await this.#body.read(); piece !== undefined; piece = await this.#body.read()) {
        if (!this.#ended) await this.#write(piece);
        if (this.#ended) return;
      }
      this.#busboy.end();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Resolves when the parser has room for more: when files are read. */
  #write(piece: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#wakePump = resolve;
      this.#busboy.write(piece, () => resolve());
    });
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#failure = error;
    this.#end();
    this.#current?.drop();
    for (const { content } of this.#parts) content?.drop();
  }

  #end(): void {
    this.#ended = true;
    this.#wakeReader?.();
    this.#wakePump?.();
  }
}

/** A file's bytes: read once, or skipped. */
class FileContent implements AsyncIterable<Buffer> {
  readonly #stream: Readable;
  readonly #failure: () => Error | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';

  constructor(stream: Readable, failure: () => Error | undefined) {
    this.#stream = stream;
    this.#failure = failure;
    stream.on('error', () => {}); // told by whatever reads it
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    if (this.#state !== 'unread') throw new TypeError('a file of a form is read once, before the next part');
    this.#state = 'reading';
    try {
      // The parser goes on only when a file has been read to its end: a reader that leaves must not destroy it.
      for await (const piece of this.#stream.iterator({ destroyOnReturn: false })) yield piece as Buffer;
    } catch (error) {
      throw this.#failure() ?? error;
    } finally {
      this.#state = 'over';
      this.#stream.resume();
    }
  }

  /** The reader goes on to the next part: skip what is left. False while somebody reads it. */
  pass(): boolean {
    if (this.#state === 'reading') return false;
    this.#state = 'over';
    this.#stream.resume();
    return true;
  }

  /** Nothing more will come. */
  drop(): void {
    this.#stream.destroy(this.#failure());
  }
}

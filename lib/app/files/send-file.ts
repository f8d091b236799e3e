// sendFile(): a file as an answer, by the web server where that can send it, else read here.

import { realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import mime from 'mime';
import { parseRange } from './byte-range.ts';
import { attachment } from './content-disposition.ts';
import { fileContent, openFile, readRange } from './file-content.ts';
import { findFile, findFileBelow, isBelow, orNotFound } from './find-file.ts';
import { HttpError } from '../http-error.ts';
import { HttpHeaders, type HeadersInit } from '../http-headers.ts';
import type { HttpRequest } from '../http-request.ts';
import { HttpResponse } from '../http-response.ts';
import { checkPreconditions, rangeApplies, type Validators } from './preconditions.ts';

/**
 * How the web server is asked to send a file itself: a header with the file's path, or, with `prefix`, with a location of the
 * web server under which it has what is below `root`:
 *
 * - lighttpd, with `"x-sendfile" => "enable"`, and Apache's mod_xsendfile: `'X-Sendfile'`
 * - nginx, with `location /protected/ { internal; alias /srv/files/; }`:
 *   `{ header: 'X-Accel-Redirect', prefix: '/protected/', root: '/srv/files' }`
 */
export type SendfileHeader = string | { header: string; prefix: string; root: string };

export interface SendFileOptions {
  /** The folder that `path` is relative to and cannot leave: give it wherever the path comes from outside. */
  root?: string;
  /** With `root`: whether names that begin with a dot may be sent. Default false. */
  hidden?: boolean;
  /** Leave sending to the web server, ranges and conditional requests included. Default: it is read here. */
  sendfile?: SendfileHeader;
  /** Default: by the name's ending, else application/octet-stream. */
  contentType?: string;
  /** Have the browser save it: under this name, or, with `true`, under its own. */
  download?: string | boolean;
  /** The entity tag, of size and time of change. Default `strong`; a file changed within the last second always has a weak one. */
  etag?: 'strong' | 'weak' | false;
  /** Further header fields, such as Cache-Control; they come before the ones made here. */
  headers?: HeadersInit;
}

const SMALL = 64 * 1024; // files up to this are answered in one write
const SECOND = 1_000_000_000n; // in nanoseconds

/**
 * A file as an answer to GET or HEAD: with its type, length and validators, 304 or 412 for a conditional request, 206 for a
 * range. Rejects with HttpError 404 for what is not there, is no plain file or lies outside of `root`; 412; 416 for a range
 * beyond the end. Other methods get the whole file.
 */
export async function sendFile(
  request: HttpRequest,
  path: string,
  options: SendFileOptions = {},
): Promise<HttpResponse> {
  const { root, sendfile } = options;
  const real = await (root === undefined ? findFile(path) : findFileBelow(root, path, options.hidden ?? false));
  const headers = headersOf(path, options);
  if (sendfile !== undefined) return byWebServer(real, sendfile, headers);
  const file = await orNotFound(openFile(real));
  try {
    return await byUs(request, file, real, headers, options.etag ?? 'strong');
  } finally {
    await file.close();
  }
}

async function byWebServer(real: string, sendfile: SendfileHeader, headers: HttpHeaders): Promise<HttpResponse> {
  if (!(await orNotFound(stat(real))).isFile()) throw new HttpError(404);
  if (typeof sendfile === 'string') {
    headers.set(sendfile, encodePath(real)); // all of them decode it
    return new HttpResponse(undefined, { headers });
  }
  const { header, prefix, root } = sendfile;
  const folder = await realpath(root);
  if (!isBelow(folder, real)) throw new Error(`${real} is not below ${folder}: the web server has it not in ${prefix}`);
  headers.set(header, prefix + encodePath(relative(folder, real)));
  return new HttpResponse(undefined, { headers });
}

async function byUs(
  request: HttpRequest,
  file: FileHandle,
  real: string,
  headers: HttpHeaders,
  etag: 'strong' | 'weak' | false,
): Promise<HttpResponse> {
  const stats = await file.stat({ bigint: true });
  if (!stats.isFile()) throw new HttpError(404);
  const { method } = request;
  const validators = validatorsOf(stats, etag);
  addValidators(headers, validators);
  if (method === 'GET' || method === 'HEAD') {
    const status = checkPreconditions(request, validators);
    if (status === 412) throw new HttpError(412);
    if (status === 304) return new HttpResponse(undefined, { status, headers });
  }
  const size = Number(stats.size);
  const range = method === 'GET' && rangeApplies(request, validators) && parseRange(request.header('Range'), size);
  if (range === 'unsatisfiable') {
    throw new HttpError(416, undefined, { headers: { 'Content-Range': `bytes */${size}` } });
  }
  if (range) headers.append('Content-Range', `bytes ${range.first}-${range.last}/${size}`);
  const part = range || { first: 0, last: size - 1 };
  const length = part.last + 1 - part.first;
  headers.set('Content-Length', String(length));
  const isSmall = length <= SMALL && method !== 'HEAD';
  const body = isSmall ? await readRange(file, part) : fileContent(real, stats, part);
  return new HttpResponse(body, { status: range ? 206 : 200, headers });
}

function headersOf(path: string, options: SendFileOptions): HttpHeaders {
  const { contentType = contentTypeOf(path), download = false } = options;
  const headers = new HttpHeaders(options.headers);
  if (!headers.has('Content-Type')) headers.append('Content-Type', contentType);
  if (download !== false) {
    headers.append('Content-Disposition', attachment(download === true ? basename(path) : download));
  }
  return headers;
}

function addValidators(headers: HttpHeaders, { etag, lastModified }: Validators): void {
  headers.append('Accept-Ranges', 'bytes');
  if (etag !== undefined) headers.append('ETag', etag);
  if (lastModified !== undefined) headers.append('Last-Modified', new Date(lastModified * 1000).toUTCString());
}

/** A file that was changed just now may be changed again without another time (RFC 9110, 8.8.1). */
function validatorsOf(stats: { size: bigint; mtimeNs: bigint }, kind: 'strong' | 'weak' | false): Validators {
  const now = BigInt(Date.now()) * 1_000_000n;
  const weak = kind === 'weak' || stats.mtimeNs + SECOND > now ? 'W/' : '';
  const modified = stats.mtimeNs < now ? stats.mtimeNs : now; // never in the future (8.8.2.1)
  return {
    etag: kind === false ? undefined : `${weak}"${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}"`,
    lastModified: Number(modified / SECOND),
  };
}

function contentTypeOf(path: string): string {
  const type = mime.getType(path) ?? 'application/octet-stream';
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type;
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

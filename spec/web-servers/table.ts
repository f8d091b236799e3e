// One table of requests, with what comes of them behind every web server, and where web servers differ.

import { createHash } from 'node:crypto';
import type { HttpSent } from '../support/http.ts';
import { patternBytes } from './pattern.ts';

/** What is expected of an answer; what is not named may be anything. */
export interface Expected {
  /** Default 200. */
  status?: number;
  /** By lower-case name; null: it must not be there. */
  headers?: Readonly<Record<string, string | readonly string[] | null>>;
  text?: string;
  /** Parts of the request as the application understood it; its header fields by lower-case name. */
  request?: Readonly<Record<string, unknown>>;
  /** Length and hash of the body. */
  bytes?: Readonly<{ length: number; sha256: string }>;
  /** What the error log of the web server has. */
  logged?: RegExp;
}

export interface Row {
  title: string;
  send: HttpSent | string;
  expect: Expected;
  /** Where one server does something else: the reason, and what it does. */
  differs?: Readonly<Partial<Record<'lighttpd' | 'nginx', Expected>>> & { because: string };
}

const MIB = 1024 * 1024;
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const mebibyte = patternBytes(MIB);
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const received = (body: string | Buffer): { length: number; sha256: string } => ({
  length: Buffer.byteLength(body),
  sha256: sha256(body),
});
const large = { length: 10 * MIB, sha256: sha256(patternBytes(10 * MIB)) };

const methods: Row[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].map((method) => ({
  title: `method ${method}`,
  send: { method, path: '/x' },
  expect: { request: { method, path: '/x', length: 0 } },
}));

const bodies: Row[] = [
  { title: 'no body', send: '/x', expect: { request: received('') } },
  {
    title: 'an empty body',
    send: { method: 'POST', body: '' },
    expect: { request: { contentLength: 0, ...received('') } },
  },
  {
    title: 'a small body',
    send: { method: 'POST', body: 'a=1&b=2', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
    expect: { request: { contentLength: 7, ...received('a=1&b=2') } },
  },
  {
    title: 'a body of all bytes',
    send: { method: 'PUT', body: allBytes },
    expect: { request: { contentLength: 256, ...received(allBytes) } },
  },
  {
    title: 'a body of 1 MiB',
    send: { method: 'POST', body: mebibyte },
    expect: { request: { contentLength: MIB, ...received(mebibyte) } },
  },
  {
    title: 'a chunked upload',
    send: { method: 'POST', body: 'hello chunks', chunked: true },
    expect: { request: { contentLength: 12, ...received('hello chunks') } },
  },
  {
    title: 'a chunked upload of 1 MiB',
    send: { method: 'PUT', body: mebibyte, chunked: true },
    expect: { request: { contentLength: MIB, ...received(mebibyte) } },
  },
  {
    title: 'a body with a DELETE',
    send: { method: 'DELETE', body: 'which' },
    expect: { request: { method: 'DELETE', ...received('which') } },
  },
];

// The target reaches the application as the client sent it, whatever a web server does with paths for itself.
const paths: Row[] = [
  '/',
  '/a%20b',
  '/a+b',
  '/a%2Fb%2fc',
  '/100%25',
  '/%C3%BC/%E2%82%AC',
  '/%c3%bc',
  '//double//slashes/',
  '/a/./b/../c',
  '/x;v=1/(y)/~z/@:$&,=!*',
  '/a%3Fb%23c',
  '/index.php',
  '/a.b/c.html',
].map((path) => ({ title: `path ${path}`, send: path, expect: { request: { target: path, path, mount: '' } } }));

const queries: Row[] = [
  { target: '/x?', query: [] },
  { target: '/x?a', query: [['a', '']] },
  { target: '/x?a=', query: [['a', '']] },
  { target: '/x?a=1&a=2&b=3', query: [['a', '1'], ['a', '2'], ['b', '3']] }, // prettier-ignore
  { target: '/x?q=a%26b%3Dc+d%20e', query: [['q', 'a&b=c d e']] },
  { target: '/x?a=1?b=2', query: [['a', '1?b=2']] },
  { target: '/x?a[]=1&a[]=2', query: [['a[]', '1'], ['a[]', '2']] }, // prettier-ignore
  { target: '/x?%C3%BC=%E2%82%AC', query: [['ü', '€']] },
  { target: '/x?path=/a/../b//c', query: [['path', '/a/../b//c']] },
].map(({ target, query }) => ({
  title: `query ${target}`,
  send: target,
  expect: { request: { target, path: '/x', query } },
}));

const bytesInTargets: Row[] = [
  {
    title: 'encoded dot segments',
    send: '/a/%2e%2e/b',
    expect: { request: { target: '/a/%2e%2e/b' } },
  },
  {
    title: 'bytes of UTF-8 in a path that were not percent-encoded',
    send: '/Ã¼',
    expect: { request: { target: '/%C3%BC', path: '/%C3%BC' } },
  },
  {
    title: 'an encoded NUL in a path is refused before the application',
    send: '/a%00b',
    expect: { status: 400 },
  },
];

const headers: Row[] = [
  {
    title: 'header fields',
    send: { path: '/x', headers: { Accept: 'text/html', 'X-Request-Id': 'r-1', Cookie: 'a=1; b=2' } },
    expect: {
      request: { headers: { accept: 'text/html', 'x-request-id': 'r-1', cookie: 'a=1; b=2' } },
    },
  },
  {
    title: 'a repeated field',
    send: { path: '/x', headers: { 'X-Forwarded-For': ['10.0.0.1', '10.0.0.2'] } },
    expect: { request: { headers: { 'x-forwarded-for': '10.0.0.1, 10.0.0.2' } } },
  },
  {
    title: 'Authorization',
    send: { path: '/x', headers: { Authorization: 'Basic dTpw' } },
    expect: { request: { headers: { authorization: 'Basic dTpw' } } },
  },
  {
    title: 'Proxy, which never reaches the application (CVE-2016-5385)',
    send: { path: '/x', headers: { Proxy: 'http://evil.example/' } },
    expect: { request: { proxy: null } },
  },
  {
    title: 'a field of bytes beyond ASCII',
    send: { path: '/x', headers: { 'X-Name': 'Ã¼' } },
    expect: { request: { headers: { 'x-name': 'Ã¼' } } },
  },
  {
    title: 'a field of 20 KiB',
    send: { path: '/x', headers: { 'X-Large': 'v'.repeat(20_480) } },
    expect: { request: { headers: { 'x-large': 'v'.repeat(20_480) } } },
  },
  {
    title: 'a hundred fields',
    send: { path: '/x', headers: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`X-${n}`, String(n)])) },
    expect: { request: { headers: { 'x-0': '0', 'x-99': '99' } } },
  },
  {
    title: 'a field with an underscore in its name',
    send: { path: '/x', headers: { X_Under: '1' } },
    expect: { request: { under: '1' } },
    differs: {
      because: 'nginx drops it (underscores_in_headers off)',
      nginx: { request: { under: null } },
    },
  },
  {
    title: 'the address of the client',
    send: '/x',
    expect: { request: { remoteAddress: '127.0.0.1', scheme: 'http' } },
  },
];

const answers: Row[] = [
  {
    title: 'an answer of 10 MiB in one piece',
    send: `/large/whole/${10 * MIB}`,
    expect: { bytes: large, headers: { 'content-length': String(10 * MIB) } },
  },
  { title: 'an answer of 10 MiB that streams', send: `/large/stream/${10 * MIB}`, expect: { bytes: large } },
  {
    title: 'HEAD of an answer of known length',
    send: { method: 'HEAD', path: '/large/whole/12345' },
    expect: { text: '', headers: { 'content-length': '12345', 'content-type': 'application/octet-stream' } },
  },
  {
    title: 'HEAD of an answer that streams',
    send: { method: 'HEAD', path: '/large/stream/12345' },
    expect: { text: '', headers: { 'content-type': 'application/octet-stream' } },
  },
  {
    title: 'HEAD of an error',
    send: { method: 'HEAD', path: '/http-error' },
    expect: { status: 409, text: '', headers: { 'content-type': 'text/plain; charset=utf-8' } },
  },
  { title: '200 without a body', send: '/status/200', expect: { text: '', headers: { 'content-length': '0' } } },
  { title: '201', send: '/status/201', expect: { status: 201, text: '' } },
  { title: '204', send: '/status/204', expect: { status: 204, text: '', headers: { 'content-length': null } } },
  { title: '304', send: '/not-modified', expect: { status: 304, text: '', headers: { etag: '"1"' } } },
  { title: '404 of the application', send: '/status/404', expect: { status: 404, text: '' } },
  { title: '503', send: '/status/503', expect: { status: 503, text: '' } },
  {
    title: 'a redirect to a path',
    send: '/redirect',
    expect: { status: 303, headers: { location: '/elsewhere?a=b%20c' } },
  },
  {
    title: 'a redirect to another site',
    send: '/redirect-away',
    expect: { status: 302, headers: { location: 'https://example.org/%C3%BC' } },
  },
  {
    title: 'Set-Cookie twice',
    send: '/cookies',
    expect: { text: 'two', headers: { 'set-cookie': ['a=1; Path=/; HttpOnly', 'b=x%20y; Path=/b'] } },
  },
  {
    title: 'header fields of 6 KiB',
    send: '/many-headers',
    expect: { text: 'many', headers: { 'x-49': 'v'.repeat(100) } },
  },
  {
    title: 'fields that are the web server’s own business',
    send: '/hop-by-hop',
    expect: { text: 'framed', headers: { 'keep-alive': null } },
  },
];

const errors: Row[] = [
  { title: 'an HttpError', send: '/http-error', expect: { status: 409, text: '409 it is taken\n' } },
  {
    title: 'an error before the head',
    send: '/throw',
    expect: { status: 500, text: '500 Internal Server Error\n', logged: /GET \/throw: thrown on purpose/ },
  },
  {
    title: 'a header that would break the head',
    send: '/bad-header',
    expect: { status: 500, headers: { 'set-cookie': null }, logged: /GET \/bad-header: .*X-Bad/ },
  },
  {
    title: 'an early answer to a large upload',
    send: { method: 'POST', path: '/early', body: mebibyte },
    expect: { status: 413, text: '413 too much\n' },
  },
];

export const TABLE: readonly Row[] = [
  ...methods,
  ...bodies,
  ...paths,
  ...queries,
  ...bytesInTargets,
  ...headers,
  ...answers,
  ...errors,
];

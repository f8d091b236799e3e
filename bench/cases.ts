// What is measured: the modes, and the responders that answer in them.

/** One kind of load. */
export interface Mode {
  readonly name: string;
  readonly title: string;
  /** Options of the load driver for a FastCGI responder. */
  readonly fastcgi: Readonly<Record<string, string | number>>;
  /** The same for an HTTP server, or why there is no such thing. */
  readonly http: Readonly<Record<string, string | number>> | string;
  /** Bytes of every answer's body. */
  readonly answer: number;
}

export interface Contestant {
  /** The name of its file in responders/. */
  readonly name: string;
  readonly speaks: 'fastcgi' | 'http';
}

const KIB = 1024;
const kept = { fastcgi: { mode: 'kept' }, http: { mode: 'http-kept' } };

export const MODES: readonly Mode[] = [
  { name: 'kept', title: '32 kept connections, GET, 100 bytes', answer: 100, ...kept },
  {
    name: 'single',
    title: '32 at a time, a new connection for each request, GET, 100 bytes',
    answer: 100,
    fastcgi: { mode: 'single' },
    http: { mode: 'http-single' },
  },
  {
    name: 'multiplexed',
    title: '1 connection with 32 requests at a time, GET, 100 bytes',
    answer: 100,
    fastcgi: { mode: 'multiplexed' },
    http: 'HTTP/1.1 does not multiplex',
  },
  { name: 'medium', title: '32 kept connections, GET, 10 KiB', answer: 10 * KIB, ...kept },
  {
    name: 'upload',
    title: '32 kept connections, POST of 64 KiB, 100 bytes',
    answer: 100,
    fastcgi: { mode: 'kept', body: 64 * KIB },
    http: { mode: 'http-kept', body: 64 * KIB },
  },
  { name: 'large', title: '32 kept connections, GET, 1 MiB', answer: KIB * KIB, ...kept },
];

/** The first is what the others are compared with. */
export const CONTESTANTS: readonly Contestant[] = [
  { name: 'ceiling', speaks: 'fastcgi' },
  { name: 'postfork', speaks: 'fastcgi' },
  { name: 'node-http', speaks: 'http' },
  { name: 'fastcgi-stream', speaks: 'fastcgi' },
  { name: 'node-fastcgi', speaks: 'fastcgi' },
];

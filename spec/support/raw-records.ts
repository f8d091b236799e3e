// What a web server sends, as bytes made by hand: nothing here uses the code under test.

export const BEGIN = 1;
export const ABORT = 2;
export const END = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;
export const DATA = 8;
export const GET_VALUES = 9;
export const GET_VALUES_RESULT = 10;
export const UNKNOWN_TYPE = 11;

export type Pairs = Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];

const bytes = (content: string | Buffer): Buffer =>
  typeof content === 'string' ? Buffer.from(content, 'latin1') : content;

/** One record. The padding is not zero, so that a reader that looks at it is seen. */
export function record(type: number, id: number, content: string | Buffer = '', padding = 0): Buffer {
  const body = bytes(content);
  const header = Buffer.from([1, type, id >> 8, id & 255, body.length >> 8, body.length & 255, padding, 0]);
  return Buffer.concat([header, body, Buffer.alloc(padding, 0xa5)]);
}

export interface BeginOptions {
  /** Default 1: Responder. */
  role?: number;
  /** FCGI_KEEP_CONN. Default false. */
  keep?: boolean;
}

/** BEGIN_REQUEST. */
export function begin(id = 1, { role = 1, keep = false }: BeginOptions = {}): Buffer {
  return record(BEGIN, id, Buffer.from([role >> 8, role & 255, keep ? 1 : 0, 0, 0, 0, 0, 0]));
}

function length(of: number): Buffer {
  if (of < 128) return Buffer.from([of]);
  const four = Buffer.alloc(4);
  four.writeUInt32BE(of);
  four[0] = (four[0] as number) | 0x80;
  return four;
}

/** Name-value pairs, in latin1. */
export function pairs(of: Pairs): Buffer {
  const list = Array.isArray(of) ? (of as [string, string][]) : Object.entries(of);
  return Buffer.concat(
    list.flatMap(([name, value]) => [length(name.length), length(value.length), bytes(name), bytes(value)]),
  );
}

/** A stream of any length with its end. */
export function stream(type: number, id: number, content: string | Buffer, padding = 0): Buffer {
  const body = bytes(content);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += 65_535) {
    records.push(record(type, id, body.subarray(at, at + 65_535), padding));
  }
  return Buffer.concat([...records, record(type, id, '', padding)]);
}

export interface RequestOptions extends BeginOptions {
  id?: number;
  /** Added to a GET's, over them. */
  params?: Pairs;
  /** What STDIN carries; its CONTENT_LENGTH is set where it is not empty. `null`: STDIN is left out, even its end. */
  stdin?: string | Buffer | null;
  padding?: number;
}

/** BEGIN and PARAMS of a request, with their end. */
export function head({ id = 1, params = {}, stdin = '', padding = 0, ...options }: RequestOptions = {}): Buffer {
  const standard: [string, string][] = [
    ['REQUEST_METHOD', stdin ? 'POST' : 'GET'],
    ['REQUEST_URI', '/'],
    ...(stdin ? ([['CONTENT_LENGTH', String(stdin.length)]] as [string, string][]) : []),
  ];
  const own = Array.isArray(params) ? (params as [string, string][]) : Object.entries(params);
  const names = new Set(own.map(([name]) => name));
  const all = [...standard.filter(([name]) => !names.has(name)), ...own];
  return Buffer.concat([begin(id, options), stream(PARAMS, id, pairs(all), padding)]);
}

/** A whole request. */
export function request(options: RequestOptions = {}): Buffer {
  const { id = 1, stdin = '', padding = 0 } = options;
  return stdin === null ? head(options) : Buffer.concat([head(options), stream(STDIN, id, stdin, padding)]);
}

/** GET_VALUES for these names. */
export function getValues(...names: string[]): Buffer {
  return record(GET_VALUES, 0, pairs(names.map((name) => [name, ''])));
}

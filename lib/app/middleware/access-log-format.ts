// Lines of an access log: the common and combined formats of Apache, and JSON.

/** What is known of a request when it is over. Texts are as the client sent them, latin1: escape them in a format of your own. */
export interface AccessEntry {
  /** When it began. */
  time: Date;
  /** Milliseconds from the first layer's call to the end of the answer. */
  duration: number;
  remoteAddress: string;
  remoteUser: string | undefined;
  method: string;
  /** Path and query. */
  target: string;
  /** Such as HTTP/1.1. */
  protocol: string;
  /** 499 where the client, or the web server, left before there was an answer. */
  status: number;
  /** Of the body, as handed to the web server. */
  bytes: number;
  referer: string | undefined;
  userAgent: string | undefined;
  /** Where requestId() is used. */
  requestId: string | undefined;
}

/** Makes a line, without its end. */
export type AccessFormat = (entry: AccessEntry) => string;

/** `host - user [time] "request" status bytes`; a body without bytes is `-`. Times are in UTC. */
export function common(entry: AccessEntry): string {
  const request = `${entry.method} ${entry.target} ${entry.protocol}`;
  return (
    `${word(entry.remoteAddress)} - ${word(entry.remoteUser)} [${clfTime(entry.time)}] ` +
    `${quoted(request)} ${entry.status} ${entry.bytes || '-'}`
  );
}

/** The common format, the referring page and the user agent. */
export function combined(entry: AccessEntry): string {
  return `${common(entry)} ${quoted(entry.referer)} ${quoted(entry.userAgent)}`;
}

/** One object with everything that is known, its texts decoded as UTF-8. */
export function json(entry: AccessEntry): string {
  const { time, duration, ...rest } = entry;
  const line = JSON.stringify(
    { time, ...rest, duration: Math.round(duration * 1000) / 1000 },
    (_key, value: unknown) => (typeof value === 'string' ? Buffer.from(value, 'latin1').toString() : value),
  );
  // JSON leaves these as they are, and terminals obey some of them.
  return line.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Text without quotes around it: nothing in it may end it. */
function word(text: string | undefined): string {
  return text ? escape(text).replaceAll(' ', '\\x20') : '-';
}

function quoted(text: string | undefined): string {
  return `"${text === undefined ? '-' : escape(text)}"`;
}

const SPECIAL: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** As Apache does (ap_escape_logitem): quotes and backslashes after a backslash, what is not ASCII or not printable as \xhh. */
function escape(text: string): string {
  return text.replace(
    /[^ !#-[\]-~]/g,
    (char) => SPECIAL[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** 10/Oct/2000:13:55:36 +0000 */
function clfTime(time: Date): string {
  const text = time.toUTCString(); // Tue, 10 Oct 2000 13:55:36 GMT
  return `${text.slice(5, 7)}/${text.slice(8, 11)}/${text.slice(12, 16)}:${text.slice(17, 25)} +0000`;
}

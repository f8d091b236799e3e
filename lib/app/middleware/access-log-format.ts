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
  /** 499 where the client, or the web server, left before there was an answer; 504 where the server gave it at requestTimeout. */
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
  const line = JSON.stringify({
    ...entry,
    duration: Math.round(entry.duration * 1000) / 1000,
    remoteUser: utf8(entry.remoteUser),
    method: utf8(entry.method),
    target: utf8(entry.target),
    protocol: utf8(entry.protocol),
    referer: utf8(entry.referer),
    userAgent: utf8(entry.userAgent),
  });
  // JSON leaves these as they are, and terminals obey some of them.
  return line.replace(/[\x7f-\x9f\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function utf8(text: string | undefined): string | undefined {
  return text !== undefined && /[\x80-\xff]/.test(text) ? Buffer.from(text, 'latin1').toString() : text;
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

let lastSecond = NaN;
let lastText = '';

/** 10/Oct/2000:13:55:36 +0000, made once a second. */
function clfTime(time: Date): string {
  const second = Math.floor(time.getTime() / 1000);
  if (second !== lastSecond) {
    const text = time.toUTCString(); // Tue, 10 Oct 2000 13:55:36 GMT
    lastText = `${text.slice(5, 7)}/${text.slice(8, 11)}/${text.slice(12, 16)}:${text.slice(17, 25)} +0000`;
    lastSecond = second;
  }
  return lastText;
}

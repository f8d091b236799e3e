// `postfork call`: curl for FastCGI. One request to an application, its answer, and what passed on the wire.

import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { AUTHORIZER, Client, ClientError, FILTER, RESPONDER, type ClientResponse } from '../client/index.ts';
import { positive } from './arguments.ts';
import { CANT_MPX_CONN, OVERLOADED, recordName, REQUEST_COMPLETE, UNKNOWN_ROLE } from '../protocol/index.ts';

interface CallFlags {
  header: string[];
  data?: string;
  environ: string[];
  mount: string;
  role: keyof typeof ROLES;
  file?: string;
  timeout: number;
  bodyOnly: boolean;
  fail: boolean;
  verbose: boolean;
}

const ROLES = { responder: RESPONDER, authorizer: AUTHORIZER, filter: FILTER } as const;
const PROTOCOL_STATUS: Readonly<Record<number, string>> = {
  [REQUEST_COMPLETE]: 'REQUEST_COMPLETE',
  [CANT_MPX_CONN]: 'CANT_MPX_CONN',
  [OVERLOADED]: 'OVERLOADED',
  [UNKNOWN_ROLE]: 'UNKNOWN_ROLE',
};
const EXIT_STATUS = 22; // as curl: --fail and the answer is 400 or more

export function callCommand(): Command {
  return new Command('call')
    .description('send one request to a FastCGI application, as a web server would, and show the answer')
    .argument('<address>', 'where it listens: unix:/path or tcp:host:port')
    .argument('[method]', 'request method', 'GET')
    .argument('[target]', 'path and query', '/')
    .option('-H, --header <field>', 'request header, such as "Accept: text/html"; repeatable', collect, [])
    .option('-d, --data <body>', 'request body; @file reads a file, @- standard input')
    .option('-e, --environ <NAME=value>', 'CGI variable; repeatable', collect, [])
    .option('-m, --mount <path>', 'SCRIPT_NAME: the path the application is mounted at', '')
    .addOption(new Option('--role <role>', 'FastCGI role').choices(Object.keys(ROLES)).default('responder'))
    .option('--file <path>', 'the DATA stream of a filter request')
    .option('--timeout <ms>', 'for the answer to begin', positive, 60_000)
    .option('-b, --body-only', 'print the body and nothing else', false)
    .option('-f, --fail', `exit with ${EXIT_STATUS} where the status is 400 or more`, false)
    .option('-v, --verbose', 'show the records that pass', false)
    .addHelpText(
      'after',
      `
The head and the body go to stdout, STDERR, END_REQUEST and the records (-v) to stderr.

Examples:
  $ postfork call unix:/run/app.sock GET '/search?q=x' -H 'Accept: application/json'
  $ postfork call tcp:127.0.0.1:9000 POST /upload -d @photo.jpg -H 'Content-Type: image/jpeg' -v
  $ postfork call unix:/run/php-fpm.sock GET /x -e SCRIPT_FILENAME=/srv/x.php`,
    )
    .action((address: string, method: string, target: string, flags: CallFlags) => run(address, method, target, flags));
}

async function run(address: string, method: string, target: string, flags: CallFlags): Promise<void> {
  try {
    await call(address, method, target, flags);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.stderr !== '') note(`STDERR: ${error.stderr.trimEnd()}`);
    throw new Error(`${error.code}: ${error.message}`, { cause: error });
  }
}

async function call(address: string, method: string, target: string, flags: CallFlags): Promise<void> {
  const client = new Client({
    address,
    keepConn: false,
    headTimeout: flags.timeout,
    ...(flags.verbose && { onRecord: showRecord }),
  });
  try {
    const body = await bodyOf(flags.data);
    const response = await client.request({
      role: ROLES[flags.role],
      params: paramsOf(method.toUpperCase(), target, body, flags),
      ...(body !== undefined && { stdin: body }),
      ...(flags.file !== undefined && { data: await readFile(flags.file) }),
    });
    if (!flags.bodyOnly) process.stdout.write(headText(response), 'latin1');
    let last = '\n';
    const { body: content } = response;
    content.on('data', (chunk: Buffer) => (last = chunk.toString('latin1', chunk.length - 1)));
    await pipeline(content, process.stdout, { end: false });
    if (process.stdout.isTTY && last !== '\n' && !flags.bodyOnly) process.stdout.write('\n'); // what follows is on a line of its own
    await showEnd(response, flags);
  } finally {
    await client.close();
    if (flags.data === '@-') process.stdin.destroy(); // an early answer leaves it open, and the process waiting
  }
}

async function showEnd(response: ClientResponse, flags: CallFlags): Promise<void> {
  const { appStatus, protocolStatus } = await response.ended;
  for (const line of response.stderr.split('\n').filter(Boolean)) note(`STDERR: ${line}`);
  if (!flags.bodyOnly)
    note(`END_REQUEST: ${PROTOCOL_STATUS[protocolStatus] ?? protocolStatus}, appStatus ${appStatus}`);
  if (flags.fail && response.status >= 400) process.exitCode = EXIT_STATUS;
}

async function bodyOf(data: string | undefined): Promise<string | Buffer | AsyncIterable<Uint8Array> | undefined> {
  if (data === '@-') return process.stdin as AsyncIterable<Uint8Array>;
  if (data?.startsWith('@')) {
    const path = data.slice(1);
    const { size } = await stat(path);
    return size > 1024 * 1024 ? createReadStream(path) : readFile(path);
  }
  return data;
}

/** The CGI variables, as a web server would set them (RFC 3875, 4.1). */
function paramsOf(
  method: string,
  target: string,
  body: string | Buffer | AsyncIterable<Uint8Array> | undefined,
  flags: CallFlags,
): [string, string][] {
  const path = target.split('?', 1)[0] as string;
  const length = typeof body === 'string' || Buffer.isBuffer(body) ? String(Buffer.byteLength(body)) : body ? '' : '0';
  const params = new Map([
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['SERVER_SOFTWARE', 'postfork-call'],
    ['SERVER_NAME', 'localhost'],
    ['SERVER_PORT', '80'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REQUEST_METHOD', method],
    ['REQUEST_URI', target],
    ['SCRIPT_NAME', flags.mount],
    ['PATH_INFO', path.slice(flags.mount.length)],
    ['QUERY_STRING', target.slice(path.length + 1)],
    ['CONTENT_LENGTH', length],
    ['HTTP_HOST', 'localhost'],
  ]);
  for (const field of flags.header) {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(field) ?? [];
    if (name === undefined || value === undefined) throw new Error(`--header ${field}: write it as "Name: value"`);
    const variable = name.toUpperCase().replaceAll('-', '_');
    params.set(variable === 'CONTENT_TYPE' ? variable : `HTTP_${variable}`, latin1(value));
  }
  for (const variable of flags.environ) {
    const at = variable.indexOf('=');
    if (at < 1) throw new Error(`--environ ${variable}: write it as NAME=value`);
    params.set(variable.slice(0, at), latin1(variable.slice(at + 1)));
  }
  return [...params];
}

function headText(response: ClientResponse): string {
  const fields = response.headers.map(([name, value]) => `${name}: ${value}\n`).join('');
  return `Status: ${response.status} ${response.statusText}\n${fields}\n`;
}

function showRecord(direction: 'sent' | 'received', type: number, id: number, contentLength: number): void {
  note(`${direction === 'sent' ? '>' : '<'} ${recordName(type).padEnd(18)} id ${id}, ${contentLength} bytes`);
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Text as the bytes of its UTF-8, one a character: what the wire carries. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

// One application both ways: served by `postfork serve`, and by Node's http server; and one nginx in front of both.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nginxConfig } from '../../lib/config/index.ts';
import type { Session } from './session.ts';

/** How nginx hands a request on. */
export type Way = 'fastcgi' | 'http';

/** Whether nginx keeps its connections to the application. */
export type Link = 'kept' | 'single';

export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

const PATIENCE = 20_000; // ms
const KEPT = 32; // connections
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Where the application listens. */
export const applicationSocket = ({ folder }: Session, way: Way): string => join(folder, `${way}.sock`);

/** Where nginx listens. */
export const nginxSocket = ({ folder }: Session, way: Way, link: Link): string =>
  join(folder, `nginx-${way}-${link}.sock`);

/** Start `responders/app-NAME.mjs` as a process of its own; `answerBytes`: the length of its answers' bodies. */
export async function startApplication(
  name: string,
  way: Way,
  answerBytes: number,
  session: Session,
): Promise<Running> {
  const file = path(`../responders/app-${name}.mjs`);
  const socket = applicationSocket(session, way);
  await rm(socket, { force: true }); // of the one before, which was killed
  const args = {
    fastcgi: [path('../../dist/cli.js'), 'serve', file, '--workers', '1', '--listen', `unix:${socket}`],
    http: [path('../responders/http-server.mjs'), file, socket],
  };
  const env = { NODE_ENV: 'production', NODE_NO_WARNINGS: '1', ANSWER_BYTES: String(answerBytes) };
  return start(process.execPath, args[way], env, /serving|ready/, session);
}

/** Start it with what `postfork config nginx` prints, and with the same for proxy_pass. One process, as one worker is. */
export async function startNginx(session: Session): Promise<Running> {
  const folder = join(session.folder, 'nginx');
  await mkdir(folder);
  await writeFile(join(folder, 'nginx.conf'), configuration(session));
  const args = ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf'];
  return start('nginx', args, {}, /getrlimit/, session).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new Error('nginx is not installed: apt-get install nginx') : error;
  });
}

function configuration(session: Session): string {
  const blocks = (['kept', 'single'] as const).flatMap((link) => [fastcgi(session, link), http(session, link)]);
  return `daemon off; master_process off; pid nginx.pid; error_log stderr notice;
events {}
http {
access_log off; keepalive_requests 1000000000;
client_body_temp_path body; fastcgi_temp_path fastcgi; proxy_temp_path proxy; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
${blocks.join('\n')}
}
`;
}

function fastcgi(session: Session, link: Link): string {
  const to = `unix:${applicationSocket(session, 'fastcgi')}`;
  const keepAlive = link === 'kept' ? KEPT : 0;
  const printed = nginxConfig({ to, port: 80, keepAlive, name: `fastcgi_${link}` });
  return printed.replace('listen 80;', `listen unix:${nginxSocket(session, 'fastcgi', link)};`);
}

/** What is usual, with the same buffers. */
function http(session: Session, link: Link): string {
  const name = `http_${link}`;
  const kept = link === 'kept';
  return `upstream ${name} {
  server "unix:${applicationSocket(session, 'http')}";
  ${kept ? `keepalive ${KEPT}; keepalive_timeout 60s;` : ''}
}
server {
  listen unix:${nginxSocket(session, 'http', link)};
  location / {
    proxy_pass http://${name};
    proxy_http_version 1.1;
    ${kept ? 'proxy_set_header Connection "";' : ''}
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
  }
}`;
}

/** Resolves when it has written to stderr that it is ready. */
async function start(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  ready: RegExp,
  { signal }: Session,
): Promise<Running> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  const stop = async (): Promise<void> => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGINT');
    await closed;
  };
  let said = '';
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${program} is not ready:\n${said}`)), PATIENCE);
      child.once('error', reject);
      child.once('close', () => reject(new Error(`${program} ended:\n${said}`)));
      child.once('close', () => clearTimeout(late));
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4000);
        if (!ready.test(said)) return;
        clearTimeout(late);
        resolve();
      });
    });
    signal.throwIfAborted();
  } catch (error) {
    await stop();
    throw error;
  }
  const worker = /"worker":(\d+)/.exec(said)?.[1]; // of an arbiter, which has nothing to do meanwhile
  return { pid: worker === undefined ? (child.pid as number) : Number(worker), stop };
}

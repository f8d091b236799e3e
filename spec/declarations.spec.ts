// The types, as a project has them that has installed the package: with its dependencies, and without ours for development.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from './support/temporary.ts';

const ROOT = join(__dirname, '..');
const PROGRAM = `
import { Application, signals } from 'postfork';
import { configureDatabases, db } from 'postfork/db';
import 'postfork/auth';
import { Gateway } from 'postfork/gateway';
import { adapt, createServer, toFetch } from 'postfork/node';

const app = new Application();
app.get('/', async () => (await db.query<{ one: number }>('SELECT 1 AS one')).rows[0]?.one.toFixed() ?? '');
app.mount('/fetch', toFetch((request) => new Response(request.url)));
app.mount('/node', adapt((_request: unknown, response: { end(text: string): void }) => response.end('node')));
signals.request_finished.connect(({ request }) => void request.path);
export const server = createServer((request, response) => void response.end(request.url));
export { app, configureDatabases, Gateway };
`;

interface Lock {
  packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
}

const folder = temporaryFolder();

beforeAll(() => {
  const modules = folder.join('node_modules');
  mkdirSync(join(modules, 'postfork'), { recursive: true });
  for (const part of ['package.json', 'dist']) symlinkSync(join(ROOT, part), join(modules, 'postfork', part));
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  for (const [place, { dev, devOptional }] of Object.entries(packages)) {
    if (!/^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(place) || dev === true || devOptional === true) continue;
    mkdirSync(dirname(folder.join(place)), { recursive: true });
    symlinkSync(join(ROOT, place), folder.join(place));
  }
  writeFileSync(folder.join('program.mts'), PROGRAM);
});

test.each(['nodenext', 'bundler'])(
  'are whole and strict with moduleResolution %s',
  async (resolution) => {
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--preserveSymlinks', '--types', 'node'];
    const module = resolution === 'bundler' ? 'esnext' : resolution;
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...options, '--target', 'es2022', '--module', module, '--moduleResolution', resolution];
    const found = await new Promise<string>((resolve) => {
      execFile(process.execPath, [...args, 'program.mts'], { cwd: folder.path }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    expect(found).toBe('');
  },
  60_000,
);

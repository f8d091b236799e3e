// serveInProcess(): a site within the web server's own process, as mod_python had it. No FastCGI, no fork.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from '../../app/index.ts';

/** Listens on a free port of 127.0.0.1, and prints `listening on PORT`. Ends with the process. */
export async function serveInProcess(site: Application): Promise<void> {
  const server = createServer((request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    site.inject({ method: request.method ?? 'GET', target: request.url ?? '/', headers }).then(
      (answer) => response.writeHead(answer.status, answer.headers.flat()).end(answer.body),
      (error: unknown) => response.destroy(error as Error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`);
}

// `postfork lab --keep`: a cell that is deployed and left alone, with what to try on it.

import { type Cell, Lab, siteRequest, type WebServerName } from '../lab/index.ts';

/** Resolves when the signal comes. Rejects with its log where the deployment ends by itself. */
export async function keepCell(cell: Cell, webServer: WebServerName, signal: AbortSignal): Promise<void> {
  const lab = await Lab.create(webServer);
  try {
    const { deployment, port } = await lab.keep(cell);
    const { path, headers } = siteRequest(1);
    const asked = Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`);
    const url = lab.databaseUrl;
    process.stdout.write(`${cell.id} is served at http://127.0.0.1:${port}/ until Ctrl-C

A page for staff; each worker that has a dead copy of the connection fails once:
  curl -i ${asked.join(' ')} http://127.0.0.1:${port}${path}
Who is connected, as the server sees it:
  psql '${url}' -c "SELECT pid, client_port, backend_start, state, query FROM pg_stat_activity WHERE datname = current_database()"
Which processes have it: a line with several pids is one connection in several processes
  ss -tnp 'dport = :${new URL(url).port}' | grep 'pid=.*pid='
The same without ss, by the numbers of sockets
  for pid in $(pgrep -f 'postfork: (zygote|worker) site.mjs'); do ls -l /proc/$pid/fd | grep socket | sed "s/^/$pid /"; done
What they do, a line each, and what they and PostgreSQL log:
  tail -f ${[lab.journal, ...lab.logs].join(' ')}
The site's module, and its process ${deployment.pid}:
  cat ${lab.module}
`);
    const ended = deployment.ended.then(() => {
      if (!signal.aborted) throw new Error(`the deployment has ended:\n${deployment.log.slice(-4000)}`);
    });
    const asks = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    if (!signal.aborted) await Promise.race([ended, asks]);
  } finally {
    await lab.remove();
  }
}

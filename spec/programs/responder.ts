// A process with a server, for what can be seen only from outside. Run by specs in spec/server with --expose-gc.
//
// Its argument: options of the server as JSON, and `listen`; without that it takes the socket it was started with.

import { inheritedListener, listen, parseListener, Server, type Handler } from '../../lib/server/index.ts';

const { listen: place, ...options } = JSON.parse(process.argv[2] ?? '{}') as { listen?: string };
const HEAD = 'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n';

function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

const responder: Handler = async ({ params, stdin }, response) => {
  const uri = params.get('REQUEST_URI') ?? '';
  if (uri === '/stats') {
    collect();
    collect();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { requests, connections } = server;
    response.send(HEAD, JSON.stringify({ rss, used: heapUsed + external, requests, connections }));
    return;
  }
  if (uri === '/pid') return response.send(HEAD, String(process.pid));
  if (params.get('REQUEST_METHOD') === 'POST') console.log(`request ${uri}`);
  let body: string;
  try {
    body = (await stdin.bytes(1024 * 1024)).toString('latin1');
  } catch (error) {
    body = (error as { code: string }).code;
  }
  response.send(HEAD, `${params.get('REQUEST_METHOD')} ${uri} ${body}`);
};

const server = new Server({ responder, authorizer: responder, ...options });
const where = place === undefined ? inheritedListener() : parseListener(place);
if (where === undefined) {
  console.error('no socket');
  process.exitCode = 3;
} else {
  const listening = await listen(server, where);
  console.error(`ready ${listening.at}`);
  process.once('SIGTERM', () => {
    console.error('closing');
    void listening.close({ idle: 20 });
  });
}

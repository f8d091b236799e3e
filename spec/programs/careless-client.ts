// A program that uses the client and looks at none of its failures. Run by spec/client/process.spec.ts.

import { Client } from '../../lib/client/index.ts';
import { encodeEndRequest } from '../../lib/protocol/index.ts';
import {
  ScriptedApplication,
  output,
  type ScriptedConnection,
  type ScriptedRequest,
} from '../support/scripted-application.ts';

type Fault = (connection: ScriptedConnection, request: ScriptedRequest) => void;

const application = await ScriptedApplication.listen();
const faults: Fault[] = [
  (connection) => connection.end(),
  (connection) => connection.destroy(),
  (connection, { id }) => connection.send(encodeEndRequest(id, 0, 2)),
  (connection, { id }) => connection.send(output(id, 'no head\n\n')),
  (connection, { id }) => {
    connection.send(output(id, 'A: b\n\nbegun'));
    connection.end();
  },
  (connection, { id }) => {
    connection.send(output(id, 'A: b\n\nbegun'));
    connection.destroy();
  },
  (connection, { id }) => connection.send(output(id, 'Content-Length: 100\n\nshort'), encodeEndRequest(id, 0, 0)),
  (connection, { id }) => connection.send(output(id, 'Content-Length: 1\n\nlong')),
  (connection, { id }) => connection.send(output(id, 'A: b\n\nbegun'), Buffer.from('garbage!')),
  (connection, { id }) => connection.send(output(id, 'A: b\n\nbegun')), // and then nothing: bodyTimeout
];
let fault: Fault = () => {};
application.serve((request, connection) => fault(connection, request));

for (const options of [{}, { keepConn: false }, { maxRequestsPerConnection: 5, maxConnections: 1 }]) {
  for (fault of faults) {
    const client = new Client({
      address: application.address,
      bodyTimeout: 20,
      abortTimeout: 20,
      closeTimeout: 50,
      ...options,
    });
    const controller = new AbortController();
    const { signal } = controller;
    const failing = (async function* () {
      yield Buffer.from('begun');
      throw new Error('of the source');
    })();
    const settled = await Promise.allSettled([
      client.request({ params: {} }),
      client.request({ params: {}, signal }),
      client.request({ params: {}, stdin: failing }),
    ]);
    controller.abort();
    for (const { status, value } of settled.map((each) => ({ value: undefined, ...each }))) {
      if (status === 'fulfilled') value?.body.resume(); // a stream without an 'error' listener
    }
    await client.close();
  }
}
await application.close();
process.stdout.write('still here\n');

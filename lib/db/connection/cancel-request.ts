// CancelRequest: ask the server, on a connection of its own, to stop what another one runs (protocol manual, "Canceling Requests
// in Progress").

import { connect as connectNet, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';

const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;

/** The session to be cancelled. */
export interface CancelTarget {
  /** A name or an address, or the folder of a unix socket. */
  host: string;
  port: number;
  ssl: boolean | TlsOptions;
  /** BackendKeyData. */
  processId: number;
  secretKey: number;
}

/**
 * Resolves when the server has dealt with it, which says nothing of whether there was something to cancel. Rejects where it cannot be
 * reached within `timeout` ms.
 */
export function cancelRequest(target: CancelTarget, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const raw = connectNet(addressOf(target));
    const timer = setTimeout(() => raw.destroy(new Error('the cancel request was not answered in time')), timeout);
    const onEnd = (error?: Error): void => {
      clearTimeout(timer);
      raw.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    raw.setNoDelay(true);
    raw.on('error', onEnd).once('close', () => onEnd());
    raw.once('connect', () => {
      if (target.ssl === false) send(raw, target);
      else startTls(raw, target, onEnd);
    });
  });
}

function startTls(raw: Socket, target: CancelTarget, onEnd: (error: Error) => void): void {
  raw.write(message(SSL_REQUEST));
  raw.once('data', (answer) => {
    if (answer.toString('latin1') !== 'S') {
      onEnd(new Error('the server does not take a cancel request by TLS'));
      return;
    }
    const given = target.ssl === true ? {} : (target.ssl as TlsOptions);
    const options: TlsOptions = { ...given, socket: raw, host: target.host };
    if (given.key !== undefined) options.key = given.key; // pg makes it not enumerable
    if (isIP(target.host) === 0) options.servername = target.host;
    const secure = connectTls(options, () => send(secure, target));
    secure.on('error', onEnd);
  });
}

/**
 * The server closes the connection when it has signalled the session. Until then our side stays open: pgbouncer forgets the cancel
 * request of a client that has ended.
 */
function send(socket: Socket, { processId, secretKey }: CancelTarget): void {
  socket.write(message(CANCEL_REQUEST, processId, secretKey));
  socket.resume();
}

/** Length and 32-bit numbers, big endian. */
function message(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * numbers.length);
  [bytes.length, ...numbers].forEach((number, at) => bytes.writeInt32BE(number | 0, 4 * at));
  return bytes;
}

function addressOf({ host, port }: CancelTarget): NetConnectOpts {
  return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
}

// For `node --import`: where a program makes an http.Server listen on a port, a gateway does, and Postfork serves its requests.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Server } from 'node:http';
import { _normalizeArgs } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application, serve } from 'postfork';
import { Gateway } from 'postfork/gateway';
import { adapt } from 'postfork/node';

const UNTIL_DONE = 0x7fffffff; // ms
const listenReally = Server.prototype.listen;
const folder = mkdtempSync(join(tmpdir(), 'over-fastcgi-'));
const fronts = new WeakMap();
let served = 0; // requests that came by FastCGI
let sockets = 0;
let starting; // the front whose gateway is being told to listen

process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
  if (process.env.SERVED_FILE !== undefined) writeFileSync(process.env.SERVED_FILE, String(served));
});

/** What an http.Server does while it listens, and what it tells of that. */
class Front {
  #server;
  #place; // as listen() has been told
  #thrown; // by it
  #gateway;
  #face; // the gateway's http.Server
  #serving;

  constructor(server) {
    this.#server = server;
  }

  get face() {
    return this.#face;
  }

  listen({ signal, ...place }, callback) {
    if (this.#face !== undefined) throw withCode('ERR_SERVER_ALREADY_LISTEN', 'It listens already.');
    const to = `unix:${join(folder, String((sockets += 1)))}`;
    this.#place = place;
    this.#gateway = new Gateway({ to, timeout: UNTIL_DONE, onLog: logged });
    starting = this;
    const listening = this.#gateway.listen();
    starting = undefined;
    if (this.#thrown !== undefined) {
      listening.catch(() => {});
      this.#face = undefined;
      throw this.#thrown;
    }
    if (callback !== null) this.#server.once('listening', callback);
    signal?.addEventListener('abort', () => this.#server.close());
    void this.#start(to, listening);
  }

  /** The gateway's server takes the very place that the program's would have taken. */
  begin(face) {
    this.#face = face;
    this.#thrown = undefined;
    try {
      return Reflect.apply(listenReally, face, [this.#place]);
    } catch (error) {
      this.#thrown = error;
      throw error;
    }
  }

  async #start(to, listening) {
    const face = this.#face;
    const application = new Application();
    application.use((request, next) => {
      served += 1;
      return next(request);
    });
    application.fallback(adapt(this.#server));
    this.#serving = serve(application, { listen: to });
    try {
      await Promise.all([listening, this.#serving]);
    } catch (error) {
      this.#face = undefined;
      await (await this.#serving).close();
      this.#server.emit('error', error.cause ?? error);
      return;
    }
    if (this.#face === face) this.#server.emit('listening');
  }

  close(callback) {
    const runs = this.#face !== undefined;
    if (callback !== undefined) {
      this.#server.once('close', () =>
        runs ? callback() : callback(withCode('ERR_SERVER_NOT_RUNNING', 'Server is not running.')),
      );
    }
    this.#server.closeIdleConnections(); // as Node's own does
    if (runs) void this.#close(this.#gateway, this.#serving);
    else process.nextTick(() => this.#server.emit('close'));
  }

  async #close(gateway, serving) {
    const closed = gateway.close({ timeout: UNTIL_DONE });
    this.#face = undefined;
    await closed;
    await (await serving).close({ timeout: UNTIL_DONE });
    this.#server.emit('close');
  }
}

function withCode(code, message) {
  return Object.assign(new Error(message), { code });
}

function logged(line) {
  if (process.env.GATEWAY_LOG !== undefined) process.stderr.write(`gateway: ${line}\n`);
}

/** `ofFront` where a server has one, else what an http.Server does by itself. */
function define(name, ofFront) {
  const really = Server.prototype[name];
  Server.prototype[name] = function overFastcgi(...args) {
    const front = fronts.get(this);
    return front === undefined ? Reflect.apply(really, this, args) : ofFront(front, this, ...args);
  };
}

define('address', ({ face }) => face?.address() ?? null);
define('getConnections', ({ face }, server, callback) => {
  if (face === undefined) process.nextTick(callback, null, 0);
  else face.getConnections(callback);
});
define('closeIdleConnections', ({ face }) => face?.closeIdleConnections());
define('closeAllConnections', ({ face }) => face?.closeAllConnections());
define('close', (front, server, callback) => {
  front.close(callback);
  return server;
});
Object.defineProperty(Server.prototype, 'listening', {
  configurable: true,
  get() {
    const front = fronts.get(this);
    return front === undefined ? Boolean(this._handle) : front.face?.listening === true;
  },
});

Server.prototype.listen = function listenBehindGateway(...args) {
  if (starting !== undefined) return starting.begin(this);
  const [options, callback] = _normalizeArgs(args);
  if (options.port === undefined || options.path !== undefined) return Reflect.apply(listenReally, this, args);
  if (!fronts.has(this)) fronts.set(this, new Front(this));
  fronts.get(this).listen(options, callback);
  return this;
};

// A pgbouncer of one's own in front of a PostgreSQL server, that ends with the process that started it.

import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onFreePort } from './free-port.ts';
import { Keeper } from './keeper.ts';
import { SUPERUSER } from './postgres-cluster.ts';
import type { PostgresServer } from './postgres-server.ts';
import { makeServerFolder } from './server-folder.ts';
import { ServerProcess } from './server-process.ts';
import { serverUser, type ServerUser } from './server-user.ts';

export interface PgbouncerOptions {
  /** Where its connections go: all to this server, as its superuser. */
  postgres: PostgresServer;
  /** When a server connection goes back: at the client's end (default), or at the end of each transaction. */
  poolMode?: 'session' | 'transaction';
  /** Port of 127.0.0.1 (default: a free one). It stays the same when it restarts. */
  port?: number;
  /** Settings of the section [pgbouncer] (pgbouncer(5)), such as default_pool_size. */
  settings?: Readonly<Record<string, string>>;
  /**
   * Gets what it writes to its log, restarts included, as it comes: pieces of text, not whole lines. `log` keeps only the end.
   */
  onLog?: (text: string) => void;
}

const READY = /process up: pgbouncer/i;
const READY_WITHIN = 15_000; // ms
const STOPPED_WITHIN = 5000; // ms
const LOG_BOUND = 256 * 1024; // characters

export class PgbouncerServer {
  readonly #options: PgbouncerOptions;
  readonly #folder: string;
  readonly #user: ServerUser | undefined;
  readonly #keeper: Keeper;
  #process: ServerProcess | undefined;
  #port = 0;
  #before = ''; // what its processes have said that have ended
  #removed: Promise<void> | undefined;

  private constructor(options: PgbouncerOptions) {
    this.#options = options;
    this.#user = serverUser();
    this.#folder = makeServerFolder(this.#user);
    this.#keeper = new Keeper(this.#folder, 'QUIT');
  }

  /**
   * Start one, on a unix socket and a port of 127.0.0.1; root's runs as `nobody`. Clients log in as PostgreSQL's superuser,
   * with its password. Rejects with what to install where there is no pgbouncer, and with its log where it does not start.
   */
  static async create(options: PgbouncerOptions): Promise<PgbouncerServer> {
    const server = new PgbouncerServer(options);
    try {
      await server.#startOn(options.port);
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get port(): number {
    return this.#port;
  }

  /** Where its unix socket is: only its own user and root can enter. */
  get socketFolder(): string {
    return this.#folder;
  }

  /** What it has logged since it was made, restarts included: the last 256 Ki characters. */
  get log(): string {
    return (this.#before + (this.#process?.log ?? '')).slice(-LOG_BOUND);
  }

  /** DATABASE_URL by TCP. The database `pgbouncer` is its console. */
  url(database = 'postgres'): string {
    return `postgres://${this.#login()}@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }

  /** DATABASE_URL by its unix socket, for processes of its own user, and root's. */
  socketUrl(database = 'postgres'): string {
    return `postgres://${this.#login()}@localhost:${this.#port}/${encodeURIComponent(database)}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** Start it again, on its port. Rejects where it runs, or was removed. */
  async start(): Promise<void> {
    await this.#startOn(this.#port);
  }

  /** End it, and all connections through it, at once. Resolves when it has ended. */
  async stop(): Promise<void> {
    await this.#process?.end(['SIGTERM'], STOPPED_WITHIN);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGKILL. Resolves when it has ended. */
  async kill(): Promise<void> {
    await this.#process?.end(['SIGKILL'], STOPPED_WITHIN);
  }

  /** End it and remove its files. May be called again. */
  remove(): Promise<void> {
    return (this.#removed ??= this.#remove());
  }

  async #remove(): Promise<void> {
    try {
      await this.stop();
    } finally {
      await this.#keeper.end();
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  async #startOn(wanted: number | undefined): Promise<void> {
    if (this.#removed !== undefined) throw new Error('this pgbouncer was removed');
    if (this.#process?.running === true) throw new Error('this pgbouncer runs already');
    this.#port = await onFreePort(wanted, async (port) => {
      this.#before = this.log;
      const file = await this.#configure(port);
      const started = new ServerProcess('pgbouncer', [file], {
        keeper: this.#keeper,
        folder: this.#folder,
        user: this.#user,
        onLog: this.#options.onLog,
        missing: 'pgbouncer is not installed: apt-get install pgbouncer, or scripts/setup --tests',
      });
      this.#process = started;
      try {
        await started.says(READY, READY_WITHIN);
        // It would go on without the port, by its unix socket alone.
        if (/address already in use/i.test(started.log)) throw started.failed('its port was taken');
      } catch (error) {
        await started.end(['SIGTERM'], STOPPED_WITHIN);
        throw error;
      }
    });
  }

  async #configure(port: number): Promise<string> {
    const { postgres, poolMode = 'session', settings } = this.#options;
    if (postgres.password === undefined) throw new Error('pgbouncer needs a server whose data PostgresServer has made');
    const users = join(this.#folder, 'users.txt');
    const file = join(this.#folder, 'pgbouncer.ini');
    const all = {
      listen_addr: '127.0.0.1',
      listen_port: String(port),
      unix_socket_dir: this.#folder,
      auth_type: 'scram-sha-256',
      auth_file: users,
      admin_users: SUPERUSER,
      pool_mode: poolMode,
      server_login_retry: '0.2', // else 15 s, in which nobody gets through, behind a login that fails or that RECONNECT cuts off
      ...settings,
    };
    // By TCP, with the password of the users' file: a unix socket's path with a comma would be a list of hosts.
    const target = `host=127.0.0.1 port=${postgres.port} user=${SUPERUSER}`;
    const lines = [
      '[databases]',
      `* = ${target}`,
      '[pgbouncer]',
      ...Object.entries(all).map((pair) => pair.join(' = ')),
    ];
    await this.#write(users, `"${SUPERUSER}" "${postgres.password}"\n`);
    await this.#write(file, `${lines.join('\n')}\n`);
    return file;
  }

  async #write(file: string, text: string): Promise<void> {
    await writeFile(file, text, { mode: 0o600 });
    if (this.#user !== undefined) await chown(file, this.#user.uid, this.#user.gid);
  }

  #login(): string {
    const { password } = this.#options.postgres;
    return password === undefined ? SUPERUSER : `${SUPERUSER}:${password}`;
  }
}

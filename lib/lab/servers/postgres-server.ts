// A PostgreSQL server of one's own, on a unix socket and a port of 127.0.0.1, that ends with the process that started it.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onFreePort } from './free-port.ts';
import { Keeper } from './keeper.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { clusterUser, createDatabase, prepareCluster, SUPERUSER, type Cluster } from './postgres-cluster.ts';
import { makeServerFolder } from './server-folder.ts';
import { ServerProcess } from './server-process.ts';
import { serverUser } from './server-user.ts';

export interface PostgresOptions {
  /**
   * Where its data are kept: made when it is missing or empty, never removed (default: a temporary folder that is gone with
   * the server).
   */
  folder?: string;
  /** Port of 127.0.0.1 (default: a free one, from 20000 to 31999). It stays the same when the server restarts. */
  port?: number;
  /** A database to have besides `postgres`; half a second where it has to be created. */
  database?: string;
  /** Parameters of postgresql.conf (PostgreSQL manual, chapter 19), before those of the file and of ALTER SYSTEM. */
  settings?: Readonly<Record<string, string>>;
  /**
   * Gets what it writes to its log, restarts included, as it comes: pieces of text, not whole lines. `log` keeps only the end.
   */
  onLog?: (text: string) => void;
}

/** `smart` waits for the clients, `fast` ends their sessions, `immediate` is a crash (PostgreSQL manual, 18.5). */
export type StopMode = 'fast' | 'immediate' | 'smart';

const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', smart: 'SIGTERM' } as const;
const STOPPED_WITHIN = 10_000; // ms
const READY = /database system is ready to accept connections/;
const READY_WITHIN = 30_000; // ms
const LOG_BOUND = 256 * 1024; // characters

const SMALL: Readonly<Record<string, string>> = {
  shared_buffers: '16MB',
  max_connections: '100',
  dynamic_shared_memory_type: 'mmap', // with the data: nothing is left in /dev/shm, which is small in containers
};
// Lost when the machine crashes. What is committed survives a crash of the server, so synchronous_commit stays on.
const NOT_DURABLE: Readonly<Record<string, string>> = { fsync: 'off', full_page_writes: 'off' };

interface Parts {
  readonly binaries: PostgresBinaries;
  readonly cluster: Cluster;
  readonly folder: string;
  readonly keeper: Keeper;
  readonly settings: Readonly<Record<string, string>>;
  /** Its data are gone with it. */
  readonly temporary: boolean;
  readonly onLog: ((text: string) => void) | undefined;
}

export class PostgresServer {
  readonly #parts: Parts;
  #process: ServerProcess | undefined;
  #port = 0;
  #before = ''; // what its processes have said that have ended
  #removed: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Make one and start it: about a second. Small (16 MB of shared buffers, 100 connections), and not durable where its data are
   * temporary. Root's runs as `nobody`, or as the owner of its data. Rejects with what to install where there is no
   * PostgreSQL, and with its log where it does not start.
   */
  static async create(options: PostgresOptions = {}): Promise<PostgresServer> {
    const temporary = options.folder === undefined;
    const user = temporary ? serverUser() : await clusterUser(options.folder as string, serverUser());
    const folder = makeServerFolder(user);
    const keeper = new Keeper(folder, temporary ? 'QUIT' : 'INT');
    let server: PostgresServer | undefined;
    try {
      const binaries = await postgresBinaries(folder, user);
      const process = { keeper, folder, user };
      const place = { data: options.folder ?? join(folder, 'data'), temporary };
      const cluster = await prepareCluster(place, binaries, process);
      if ((options.database ?? SUPERUSER) !== SUPERUSER) {
        await createDatabase(options.database as string, cluster, binaries, process);
      }
      const settings = { ...SMALL, ...(temporary && NOT_DURABLE), ...options.settings };
      server = new PostgresServer({ binaries, cluster, folder, keeper, settings, temporary, onLog: options.onLog });
      await server.#startOn(options.port);
      return server;
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  /** Of the postmaster; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get port(): number {
    return this.#port;
  }

  /** Resolves when it does not run any more, whoever has ended it. */
  get ended(): Promise<void> {
    return this.#process?.exited.then(() => {}) ?? Promise.resolve();
  }

  /** Where its data are. */
  get data(): string {
    return this.#parts.cluster.data;
  }

  /** Where its unix socket is: only its own user and root can enter. */
  get socketFolder(): string {
    return this.#parts.folder;
  }

  /** What it has logged since it was made, restarts included: the last 256 Ki characters. */
  get log(): string {
    return (this.#before + (this.#process?.log ?? '')).slice(-LOG_BOUND);
  }

  /** Its superuser's password, for TCP; undefined with data that were made by somebody else. */
  get password(): string | undefined {
    return this.#parts.cluster.password;
  }

  /** DATABASE_URL by TCP, with the password. */
  url(database = 'postgres'): string {
    const { password } = this;
    const login = password === undefined ? SUPERUSER : `${SUPERUSER}:${password}`;
    return `postgres://${login}@127.0.0.1:${this.#port}/${encodeURIComponent(database)}`;
  }

  /** DATABASE_URL by the unix socket, where no password is asked for: for processes of its own user, and root's. */
  socketUrl(database = 'postgres'): string {
    const host = encodeURIComponent(this.#parts.folder);
    return `postgres://${SUPERUSER}@localhost:${this.#port}/${encodeURIComponent(database)}?host=${host}`;
  }

  /** Start it again, on its port. Rejects where it runs, or was removed. */
  async start(): Promise<void> {
    await this.#startOn(this.#port);
  }

  /**
   * End it. Resolves when it and its backends have ended; at once where it does not run. After 10 s `smart` becomes `fast`, after
   * 10 more that becomes `immediate`, and that SIGKILL.
   */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    const order: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];
    await this.#process?.end(order.slice(order.indexOf(STOP_SIGNALS[mode])), STOPPED_WITHIN);
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /**
   * SIGKILL of the postmaster, as by the system when memory runs out. Resolves when its backends have noticed and ended; at once
   * where it does not run.
   */
  async kill(): Promise<void> {
    if (this.#process?.running !== true) return;
    await this.#process.end(['SIGKILL'], STOPPED_WITHIN);
    // Their numbers may be other processes' by the next start, which would be refused then.
    const { cluster, folder } = this.#parts;
    const lock = join(folder, `.s.PGSQL.${this.#port}.lock`);
    await Promise.all([join(cluster.data, 'postmaster.pid'), lock].map((file) => rm(file, { force: true })));
  }

  /** End it (temporary data: `immediate`) and remove what is temporary of it. May be called again. */
  remove(): Promise<void> {
    return (this.#removed ??= this.#remove());
  }

  async #remove(): Promise<void> {
    const { folder, keeper, temporary } = this.#parts;
    try {
      await this.stop(temporary ? 'immediate' : 'fast');
    } finally {
      await keeper.end();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #startOn(wanted: number | undefined): Promise<void> {
    if (this.#removed !== undefined) throw new Error('this PostgreSQL server was removed');
    if (this.#process?.running === true) throw new Error('this PostgreSQL server runs already');
    this.#port = await onFreePort(wanted, async (port) => {
      this.#before = this.log;
      this.#process = this.#launch(port);
      try {
        await this.#process.says(READY, READY_WITHIN);
      } catch (error) {
        await this.#process.end(['SIGQUIT'], STOPPED_WITHIN);
        throw error;
      }
    });
  }

  #launch(port: number): ServerProcess {
    const { binaries, cluster, folder, keeper, settings, onLog } = this.#parts;
    const place = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      unix_socket_directories: `"${folder.replaceAll('"', '""')}"`,
    };
    const parameters = Object.entries({ ...settings, ...place }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return new ServerProcess(binaries.postgres, ['-D', cluster.data, ...parameters], {
      keeper,
      folder,
      user: cluster.user,
      onLog,
    });
  }
}

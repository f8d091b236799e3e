// Lab: the servers that the cells of a run have in common.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cell, CellResult, WebServerName } from '../result.ts';
import {
  Keeper,
  LighttpdServer,
  makeServerFolder,
  NginxServer,
  PostgresServer,
  type WebServer,
} from '../servers/index.ts';
import { createSite } from '../site/index.ts';
import { LogText } from './log-text.ts';
import { findNative } from './native.ts';
import { MODULE, SITE_LOG } from './deployment.ts';
import { type Bench, type CellOptions, deploy, type Deployed, JOURNAL, runCell } from './run-cell.ts';
import { POSTGRES_LOG_SETTINGS } from './server-log.ts';

const LEGACY = fileURLToPath(new URL('../../../lighttpd/legacy.conf', import.meta.url));
const DATABASE = 'site';
const POSTGRES_LOG = 'postgresql.log';

export class Lab {
  /** The file of pg-native; undefined where it is not installed. */
  readonly native: string | undefined;
  readonly #folder: string = makeServerFolder(undefined);
  readonly #keeper: Keeper = new Keeper(this.#folder, 'TERM');
  readonly #log: LogText = new LogText();
  #postgres: PostgresServer | undefined;
  #webServer: WebServer | undefined;
  #deployed: Deployed | undefined;
  #removed: Promise<void> | undefined;

  private constructor(native: string | undefined) {
    this.native = native;
  }

  /** Start PostgreSQL, with the site's tables, and the web server. Rejects with what to install where something is missing. */
  static async create(webServer: WebServerName): Promise<Lab> {
    const lab = new Lab(findNative(process.cwd()));
    try {
      await lab.#start(webServer);
      return lab;
    } catch (error) {
      await lab.remove();
      throw error;
    }
  }

  /** Deploy it, send requests, take it down. */
  run(cell: Cell, options: CellOptions): Promise<CellResult> {
    return runCell(cell, this.#bench(), options);
  }

  /** Deploy it and let it be, to poke at. Rejects with RefusedError where it does not start. */
  async keep(cell: Cell): Promise<Deployed> {
    return (this.#deployed = await deploy(cell, this.#bench()));
  }

  get postgresVersion(): string {
    return /starting PostgreSQL (\S+)/.exec(this.#bench().log.since(0))?.[1] ?? 'unknown';
  }

  /** Files of what the site's processes, and PostgreSQL, log. */
  get logs(): readonly string[] {
    return [SITE_LOG, POSTGRES_LOG].map((name) => join(this.#folder, name));
  }

  /** File of what the processes of the site do. */
  get journal(): string {
    return join(this.#folder, JOURNAL);
  }

  /** File of the site's module. */
  get module(): string {
    return join(this.#folder, MODULE);
  }

  /** DATABASE_URL of the site. */
  get databaseUrl(): string {
    return this.#bench().postgres.url(DATABASE);
  }

  /** End everything and remove its files. May be called again. */
  remove(): Promise<void> {
    return (this.#removed ??= this.#remove());
  }

  async #start(webServer: WebServerName): Promise<void> {
    this.#postgres = await PostgresServer.create({
      database: DATABASE,
      settings: POSTGRES_LOG_SETTINGS,
      onLog: (text) => {
        this.#log.add(text);
        appendFileSync(join(this.#folder, POSTGRES_LOG), text);
      },
    });
    await createSite(this.#postgres.url(DATABASE));
    const socket = this.#socket;
    this.#webServer =
      webServer === 'nginx'
        ? await NginxServer.create({ to: `unix:${socket}` })
        : await LighttpdServer.create({
            config: LEGACY,
            environment: { POSTFORK_SOCKET: socket, POSTFORK_ROOT: this.#folder },
          });
  }

  async #remove(): Promise<void> {
    await this.#deployed?.remove();
    await Promise.all([this.#webServer?.remove(), this.#postgres?.remove()]);
    await this.#keeper.end(); // removes the folder
  }

  get #socket(): string {
    return join(this.#folder, 'site.sock');
  }

  #bench(): Bench {
    const [postgres, webServer] = [this.#postgres, this.#webServer];
    if (postgres === undefined || webServer === undefined) throw new Error('the lab is not running');
    return {
      postgres,
      log: this.#log,
      database: DATABASE,
      port: webServer.port,
      socket: this.#socket,
      folder: this.#folder,
      keeper: this.#keeper,
      native: this.native,
    };
  }
}

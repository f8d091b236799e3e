// What runs in a worker's process, or in the zygote's: an application behind a server.

import type { Logger } from 'pino';
import type { Application } from '../app/index.ts';
import { dropPrivileges, type Identity } from '../daemon/index.ts';
import { runWorker, runZygote, type WorkerPlace, type WorkerProgram } from '../prefork/index.ts';
import { serve, type ServeOptions } from '../serve.ts';
import { followRequests } from '../signals/index.ts';
import { showErrors } from './dev-application.ts';
import { loadApplication, loadProgram } from './load-application.ts';
import { loadErrorText } from './load-error.ts';
import { createLog } from './log.ts';

/** What the arbiter's command tells its workers. It goes through JSON. */
export interface ApplicationSettings {
  file: string;
  /** It is a program that listens by itself, with these arguments. */
  run?: readonly string[];
  mount?: string;
  /** Make pages of its errors. */
  development?: boolean;
  /** Options of `serve` that all workers have in common. */
  serve: Omit<ServeOptions, 'listen' | 'log' | keyof WorkerPlace>;
  logLevel: string;
  /** What to be before the application is loaded. */
  identity?: Identity;
}

/** Live as what this process was started for. */
export async function workerProcess(method: string | undefined): Promise<void> {
  if (method === 'zygote') await runZygote(new ApplicationProgram(true));
  else await runWorker(new ApplicationProgram(false));
}

class ApplicationProgram implements WorkerProgram {
  readonly #forks: boolean;
  #file = '';
  #application: Application | undefined;
  #log: Logger | undefined;

  /** `forks`: whether it is copied when it has loaded. */
  constructor(forks: boolean) {
    this.#forks = forks;
  }

  async load(settings: unknown): Promise<void> {
    const { file, run, mount, identity, development } = settings as ApplicationSettings;
    this.#file = file;
    if (identity !== undefined) dropPrivileges(identity);
    this.#application = await (run === undefined
      ? loadApplication(file, this.#forks)
      : loadProgram(file, run, this.#forks));
    if (development === true) {
      followRequests(); // also errors that nobody has caught are pages
      showErrors(this.#application);
    }
    if (mount !== undefined) this.#application.mountAt(mount);
  }

  describe(error: unknown): string {
    return loadErrorText(error, this.#file);
  }

  log(settings: unknown): Logger {
    this.#log = createLog({ level: (settings as ApplicationSettings).logLevel });
    return this.#log;
  }

  async serve(settings: unknown, listener: number, worker: WorkerPlace): ReturnType<WorkerProgram['serve']> {
    const options = (settings as ApplicationSettings).serve;
    const application = this.#application as Application;
    const serving = await serve(application, {
      ...options,
      ...worker,
      listen: `fd:${listener}`,
      ...(this.#log !== undefined && { log: this.#log }),
    });
    const { server } = serving;
    return {
      load: () => ({ active: server.requests, connections: server.connections, served: server.served }),
      close: (how) => serving.close(how),
      fail: (error) => serving.fail(error),
      closeWithAnswers: () => server.closeWithAnswers(),
      adopt: (descriptor) => server.adopt(descriptor),
    };
  }
}

// The service manager that this process tells how it does: by the addon where it is built, by systemd-notify otherwise.

import type { Logger } from 'pino';
import { ServiceManager } from '../daemon/index.ts';
import { findNative } from '../prefork/index.ts';

export function serviceManager(log: Logger): ServiceManager {
  const native = findNative();
  const manager = new ServiceManager(process.env, native && ((path, text) => native.notify(path, text)), {
    problem: (error) => log.warn({ err: error }, 'the service manager could not be told'),
  });
  manager.forgetVariables();
  return manager;
}

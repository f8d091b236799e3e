// The service manager that this process tells how it does: by the addon where it is built, by systemd-notify otherwise.

import type { Logger } from 'pino';
import { ServiceManager } from '../daemon/index.ts';
import { loadNative } from '../prefork/index.ts';

export function serviceManager(log: Logger): ServiceManager {
  const send = (path: string, text: string): void => loadNative().notify(path, text);
  const manager = new ServiceManager(process.env, isBuilt() ? send : undefined, {
    problem: (error) => log.warn({ err: error }, 'the service manager could not be told'),
  });
  manager.forgetVariables();
  return manager;
}

function isBuilt(): boolean {
  try {
    loadNative();
    return true;
  } catch {
    return false;
  }
}

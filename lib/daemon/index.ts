// The process's place in the operating system: pid file, user, service manager, daemon, logs and control socket.

export {
  askControl,
  controlFolder,
  controlPath,
  listControls,
  makeControlFolder,
  serveControl,
  type Control,
  type ControlSocket,
} from './control-socket.ts';
export { daemonLauncher, type DaemonLauncher } from './daemon-launcher.ts';
export { DaemonError, daemonize, startDaemon, type DaemonOptions } from './daemonize.ts';
export { LogDestination, type LogDestinationOptions } from './log-file.ts';
export { writePidFile, type PidFile } from './pid-file.ts';
export { ServiceManager, type SendDatagram, type ServiceManagerOptions } from './sd-notify.ts';
export { dropPrivileges, resolveUser, type Identity, type UserAndGroup } from './users.ts';
export { printable, WholeLines, withoutColors, type Line, type WholeLinesOptions } from './whole-lines.ts';

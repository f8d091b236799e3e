// lab/: what is tried for real. The thread's setup with its faults and fixes, and throw-away servers for it and for others.

export { allHolds, brokeDown, failed, reportHtml, reportJson, reportText } from './report/index.ts';
export type { Cell, CellResult, Driver, LabResult, WebServerName } from './result.ts';
export { type Deployed, DRIVERS, Lab, type LabOptions, matrix, type Progress, runLab, select } from './run/index.ts';
export {
  LighttpdServer,
  NginxServer,
  PgbouncerServer,
  PostgresServer,
  type LighttpdServerOptions,
  type NginxServerOptions,
  type PgbouncerOptions,
  type PostgresOptions,
  type StopMode,
  type WebServer,
} from './servers/index.ts';
export { siteRequest } from './site/index.ts';

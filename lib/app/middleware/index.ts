// The built-in middleware.

export { accessLog, type AccessLogOptions } from './access-log.ts';
export type { AccessEntry, AccessFormat } from './access-log-format.ts';
export { bodyLimit } from './body-limit.ts';
export { errorPage, type ErrorPageOptions } from './error-page.ts';
export { methodOverride } from './method-override.ts';
export { requestId, type RequestIdOptions } from './request-id.ts';
export { securityHeaders, type SecurityHeadersOptions } from './security-headers.ts';
export { timeout } from './timeout.ts';

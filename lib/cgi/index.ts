// cgi/: CGI/1.1 (RFC 3875), pure: requests out of meta-variables, response heads as text and back.

export * from './parse-response-head.ts';
export * from './request-headers.ts';
export * from './request-target.ts';
export * from './response-head.ts';
export * from './status.ts';

// config/: web servers' configurations for an application, as text. Pure.

export { lighttpdConfig, type LighttpdOptions } from './lighttpd.ts';
export { nginxConfig, type NginxOptions } from './nginx.ts';
export type { SiteOptions } from './site.ts';

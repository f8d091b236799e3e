// app/: the framework. Application, pipeline, requests and responses.

export type { Answer } from './answer.ts';
export { Application, type ApplicationOptions } from './application.ts';
export type { FormLimits } from './body-parsers.ts';
export { HttpError, type HttpErrorOptions } from './http-error.ts';
export { HttpHeaders, type HeadersInit } from './http-headers.ts';
export { HttpRequest, type Environ, type RouteParams } from './http-request.ts';
export {
  escapeHtml,
  HttpResponse,
  type Body,
  type CookieOptions,
  type ResponseInit,
  type StreamBody,
} from './http-response.ts';
export type { InjectedRequest, InjectedResponse } from './inject.ts';
export type { MultipartForm, MultipartLimits } from './multipart.ts';
export type { AppHandler, Middleware, Next } from './pipeline.ts';

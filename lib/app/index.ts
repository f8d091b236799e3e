// app/: the framework. Application, pipeline, requests and responses.

export type { Answer } from './answer.ts';
export { Application, type ApplicationOptions } from './application.ts';
export * from './events/index.ts';
export * from './files/index.ts';
export type {
  CollectedFile,
  CollectedForm,
  FormField,
  FormFile,
  FormLimits,
  FormPart,
  MultipartForm,
  MultipartLimits,
} from './forms/index.ts';
export { errorResponse } from './error-response.ts';
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
export * from './middleware/index.ts';
export type { AppHandler, Middleware, Next } from './pipeline.ts';

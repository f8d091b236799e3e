// app/: the framework. Application, pipeline, requests and responses.

export type { Answer } from './answer.ts';
export { Application, type ApplicationOptions } from './application.ts';
export type { FormLimits } from './body-parsers.ts';
export type { EventSender, EventSink } from './event-queue.ts';
export { eventStream, type EventStreamOptions } from './event-stream.ts';
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
export type { FormField, FormFile, FormPart } from './multipart-reader.ts';
export type { CollectedFile, CollectedForm, MultipartForm, MultipartLimits } from './multipart.ts';
export type { AppHandler, Middleware, Next } from './pipeline.ts';
export { sendFile, type SendFileOptions, type SendfileHeader } from './send-file.ts';
export { serveFiles, type ServeFilesOptions } from './serve-files.ts';
export type { ServerSentEvent } from './server-sent-event.ts';

// Multipart forms (RFC 7578). Placeholder until the parser is in.
import type { InputStream } from '../server/index.ts';

export interface MultipartLimits {
  maxFields?: number;
}
export interface MultipartForm {
  fields: Promise<URLSearchParams>;
}
export function parseMultipart(
  _type: string | undefined,
  _body: InputStream,
  _limits?: MultipartLimits,
): MultipartForm {
  throw new Error('not there yet');
}

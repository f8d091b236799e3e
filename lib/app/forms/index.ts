// forms/: JSON, URL-encoded and multipart bodies.

export { parseForm, parseJson, requireForm, requireJson, type FormLimits } from './body-parsers.ts';
export { decodeText } from './decode-text.ts';
export { limitInput } from './limit-input.ts';
export type { FormField, FormFile, FormPart } from './multipart-reader.ts';
export {
  parseMultipart,
  type CollectedFile,
  type CollectedForm,
  type MultipartForm,
  type MultipartLimits,
} from './multipart.ts';
export { replayInput } from './replay-input.ts';

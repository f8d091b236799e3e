// The text of a body, by the charset of its Content-Type.

import { HttpError } from '../http-error.ts';

/** UTF-8 unless `contentType` names another charset. Throws HttpError 415 for one that the platform does not know. */
export function decodeText(bytes: Buffer, contentType: string | undefined): string {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase();
  if (charset === undefined || charset === 'utf-8' || charset === 'utf8') {
    const text = bytes.toString();
    return text.startsWith('\ufeff') ? text.slice(1) : text; // a byte order mark is not part of the text
  }
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch (cause) {
    throw new HttpError(415, `the charset ${charset} is not known`, { cause });
  }
}

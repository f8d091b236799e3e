// sameSitePath(): where a redirect may lead that comes from outside.

const MAX_LENGTH = 2048;

/**
 * The text itself where it is a path of this site, such as `/admin/?page=2`; undefined for anything that a browser might
 * take elsewhere: `//host`, `/\host`, a scheme, a tab or newline (browsers drop them), anything but printable ASCII, more
 * than 2048 characters. Give it what `?next=` says, before it becomes a redirect. Django's url_has_allowed_host_and_scheme.
 */
export function sameSitePath(text: string | null | undefined): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined;
  return /^\/(?!\/)[!-[\]-~]*$/.test(text) ? text : undefined; // no backslash: to browsers it is a slash
}

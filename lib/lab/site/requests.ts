// What the lab asks the site for, and the page it must get. Pure.

/** Numbers the requests of a run, from 1. */
export const REQUEST_HEADER = 'X-Lab-Request';
export const SESSION_COOKIE = 'sessionid';

/** Of the site's data: users who are staff, each with a session, and polls. */
export const USERS = 8;
export const POLLS = 100;

export interface SiteRequest {
  /** From 1. */
  readonly number: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The page that is right. */
  readonly page: string;
}

/** Neighbours are of different users and ask for different polls, so that a crossed answer is seen. */
export function siteRequest(number: number): SiteRequest {
  const user = ((number - 1) % USERS) + 1;
  const poll = ((number - 1) % POLLS) + 1;
  return {
    number,
    path: `/admin/polls/${poll}/`,
    headers: { [REQUEST_HEADER]: String(number), Cookie: `${SESSION_COOKIE}=${sessionKey(user)}` },
    page: pollPage(String(poll), question(poll), username(user)),
  };
}

export function username(user: number): string {
  return `editor${user}`;
}

export function sessionKey(user: number): string {
  return user.toString(16).padStart(32, 'a1990f0d8d32c78a285489586c510e8c'); // as long as Django's
}

export function question(poll: number): string {
  return `Question ${poll}?`;
}

export function pollPage(poll: string, text: string, user: string): string {
  return `<!doctype html><title>Poll ${poll}</title><p>${user}</p><h1>${text}</h1>\n`;
}

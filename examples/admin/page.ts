// The layout of the pages.

import { HttpResponse } from 'postfork';
import type { AnonymousUser, User } from 'postfork/auth';
import { html, type Content, type Html } from './html.ts';
import { STYLE_ELEMENT } from './style.ts';

const PAGES: readonly (readonly [path: string, name: string])[] = [
  ['/', 'Home'],
  ['/admin', 'Admin'],
  ['/admin/connections', 'Connections'],
];

export interface PageOptions {
  path: string;
  title: string;
  /** Undefined: the page has not asked. */
  user?: User | AnonymousUser;
}

export function page({ path, title, user }: PageOptions, content: Content): HttpResponse {
  const links = PAGES.map(
    ([to, name]) => html`<a href="${to}" ${to === path ? html`aria-current="page"` : ''}>${name}</a>`,
  );
  const answer = html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" /><meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${title} - Postfork admin</title>
      <link rel="icon" href="data:," />
      ${STYLE_ELEMENT}
      <header><nav>${links}${who(user)}</nav></header>
      <main>
        <h1>${title}</h1>
        ${content}
      </main>
    </html> `;
  const response = HttpResponse.html(answer.text);
  // Who comes behind a logout must not find it in the browser's cache (Django's admin has never_cache).
  if (user?.isAuthenticated) response.headers.set('Cache-Control', 'no-store');
  return response;
}

function who(user: User | AnonymousUser | undefined): Content {
  if (user === undefined) return undefined;
  if (!user.isAuthenticated) return html`<a href="/login">Log in</a>`;
  return html`<form method="post" action="/logout">
    <span>${user.username}</span> <button class="quiet">Log out</button>
  </form>`;
}

/** Names and values, as small panels. */
export function facts(pairs: readonly (readonly [name: string, value: Content])[]): Html {
  return html`<dl class="facts">
    ${pairs.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** A table; where the screen is narrow, each row is a block of its own. `none`: what to say where there are no rows. */
export function table(headings: readonly string[], rows: readonly (readonly Content[])[], none = 'none'): Html {
  if (rows.length === 0) return html`<p class="dim">${none}</p>`;
  const head = headings.map((heading) => html`<th>${heading}</th>`);
  const body = rows.map(
    (cells) =>
      html`<tr>
        ${cells.map((cell, at) => html`<td data-label="${headings[at]}">${cell}</td>`)}
      </tr> `,
  );
  return html`<table>
    <thead>
      <tr>
        ${head}
      </tr>
    </thead>
    <tbody>
      ${body}
    </tbody>
  </table>`;
}

/** A moment, to the second, UTC. */
export function moment(date: Date | null | undefined): Content {
  if (!date) return 'never';
  const text = date.toISOString();
  return html`<time class="short" datetime="${text}">${text.slice(0, 19).replace('T', ' ')}</time>`;
}

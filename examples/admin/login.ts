// Logging in and out: forms that need no JavaScript.

import { HttpResponse, type Application, type HttpRequest } from 'postfork';
import { authenticate, login, logout, sameSitePath } from 'postfork/auth';
import { html } from './html.ts';
import { page } from './page.ts';

const AFTER_LOGIN = '/admin';

/** `/login?next=/path` and `/logout`. Where strangers can come, the web server should limit how often (nginx: limit_req). */
export function addLogin(app: Application): void {
  app.get('/login', (request) => loginPage(nextOf(request.query)));

  app.post('/login', async (request) => {
    const form = await request.form();
    const username = form.get('username') ?? '';
    const user = await authenticate(username, form.get('password') ?? '');
    if (user === undefined) return loginPage(nextOf(form), { username });
    await login(request, user);
    return seeOther(nextOf(form));
  });

  app.post('/logout', async (request: HttpRequest) => {
    await logout(request);
    return seeOther('/');
  });
}

/** A redirect after a form that was sent: the browser asks for the page by GET, and reloading it sends nothing again. */
export function seeOther(path: string): HttpResponse {
  return HttpResponse.redirect(path, { status: 303 });
}

/** Where to go then. It comes from outside: a path of this site, or nothing. */
function nextOf(fields: URLSearchParams): string {
  return sameSitePath(fields.get('next')) ?? AFTER_LOGIN;
}

/** It asks for no session: a login page is there also where the database is not. */
function loginPage(next: string, wrong?: { username: string }): HttpResponse {
  const message = wrong && html`<p class="bad" role="alert">No user has this name and this password.</p>`;
  return page(
    { path: '/login', title: 'Log in' },
    html`${message}
      <form method="post" action="/login" class="login">
        <input type="hidden" name="next" value="${next}" />
        <label for="username">Name</label>
        <input id="username" name="username" value="${wrong?.username}" autocomplete="username" required autofocus />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required />
        <button>Log in</button>
      </form>`,
  );
}

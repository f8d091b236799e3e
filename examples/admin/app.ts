// The stack of Django's admin on FastCGI: sessions in PostgreSQL, a lazy request.user, pages for staff. scripts/demo admin runs it.

import { Application, errorPage, requestId, securityHeaders } from 'postfork';
import { authentication, sameOrigin, sessions } from 'postfork/auth';
import { configureDatabases } from 'postfork/db';
import { adminApplication } from './admin.ts';
import { ConnectionLives } from './connection-lives.ts';
import { html } from './html.ts';
import { addLogin } from './login.ts';
import { page } from './page.ts';
import { databaseSettings } from './settings.ts';
import { CONTENT_SECURITY_POLICY } from './style.ts';

// Nothing is opened here: this module is loaded before the workers are forked, or in each of them.
const settings = databaseSettings(process.env);
configureDatabases({ default: settings });
const lives = new ConnectionLives();
lives.follow();

const app = new Application();
app.use(requestId());
app.use(securityHeaders({ contentSecurityPolicy: CONTENT_SECURITY_POLICY }));
app.use(errorPage());
app.use(sameOrigin());
app.use(sessions());
app.use(authentication());

app.get('/', async (request) => {
  const user = await request.user;
  const who = user.isAuthenticated
    ? html`You are <strong>${user.username}</strong>, ${user.isStaff ? 'and staff' : 'but not staff'}.`
    : html`You are nobody in particular. <a href="/login">Log in</a>.`;
  return page(
    { path: '/', title: 'Postfork admin', user },
    html`<p>${who}</p>
      <p>
        The <a href="/admin">administration</a> is for staff. To know who asks it reads the session and its user, by one
        query, on a connection that belongs to the request: opened at the first query, closed or kept when the request
        is finished. Its <a href="/admin/connections">connections</a> can be watched.
      </p>
      <p class="dim">
        A request without a session's cookie, such as a stranger's for this page, asks the database for nothing.
      </p>`,
  );
});

addLogin(app);
app.mount('/admin', adminApplication(lives, settings));

export default app;

// The admin pages, for staff: users, sessions and notes, and the lives of the database connections.

import { Application, type HttpRequest, type HttpResponse } from 'postfork';
import { requireStaff, type AnonymousUser, type User } from 'postfork/auth';
import { connections, db, type DatabaseSettings } from 'postfork/db';
import type { ConnectionLives } from './connection-lives.ts';
import { connectionsPage, type Backend } from './connections-page.ts';
import { html, type Html } from './html.ts';
import { seeOther } from './login.ts';
import { addNote, deleteNote, listLog, listNotes, type Note } from './notes.ts';
import { facts, moment, page, table } from './page.ts';

interface UserRow {
  username: string;
  is_staff: boolean;
  last_login: Date | null;
  sessions: string;
}

/** To be mounted at /admin. */
export function adminApplication(lives: ConnectionLives, settings: DatabaseSettings): Application {
  const admin = new Application();
  admin.use(async (request, next) => {
    const response = await next(request);
    return response.status === 403 ? forbiddenPage(await request.user) : response;
  });
  // has_permission of the thread's trace: session -> user -> is_staff, by one query.
  admin.use(requireStaff({ loginUrl: '/login' }));

  admin.get('/', async (request) => {
    const user = await request.user;
    const [users, notes, log] = await Promise.all([listUsers(), listNotes(), listLog()]);
    const sessions = users.reduce((sum, row) => sum + Number(row.sessions), 0);
    return page(
      { path: '/admin', title: 'Administration', user },
      html`${facts([
          ['users', users.length],
          ['sessions', sessions],
          ['notes', notes.length],
          ['worker', process.pid],
        ])}
        <h2>Notes</h2>
        <form method="post" action="/admin/notes" class="row">
          <input name="text" aria-label="A new note" placeholder="A new note" required maxlength="500" />
          <button>Add</button>
        </form>
        ${table(['note', 'by', 'at (UTC)', ''], notes.map(noteRow), 'no notes')}
        <h2>What was done</h2>
        ${table(
          ['what', 'note', 'by', 'at (UTC)'],
          log.map(({ action, text, author, at }) => [action, text, author, moment(at)]),
          'nothing yet',
        )}
        <h2>Users</h2>
        ${table(
          ['name', 'staff', 'last login (UTC)', 'sessions'],
          users.map((row) => [row.username, row.is_staff ? 'yes' : 'no', moment(row.last_login), row.sessions]),
        )}`,
    );
  });

  admin.post('/notes', async (request) => {
    await addNote((await request.form()).get('text') ?? '', await nameOf(request));
    return seeOther('/admin');
  });

  admin.post('/notes/:id/delete', async (request) => {
    await deleteNote(request.params['id'] ?? '', await nameOf(request));
    return seeOther('/admin');
  });

  admin.get('/connections', async (request) => {
    const user = (await request.user) as User;
    const backends = await listBackends();
    const stats = connections.stats()['default'];
    return connectionsPage({ user, lives: lives.all, backends, stats, settings, all: request.query.has('all') });
  });
  return admin;
}

/** For who is not staff: with the way out, where another user can log in. */
function forbiddenPage(user: User | AnonymousUser): HttpResponse {
  const answer = page(
    { path: '/admin', title: '403 Forbidden', user },
    html`<p>You are <strong>${user.username}</strong>, who is not staff. Log out, and log in as somebody who is.</p>`,
  );
  answer.status = 403;
  return answer;
}

function noteRow({ id, text, author, created_at }: Note): (string | Html)[] {
  const remove = html`<form method="post" action="/admin/notes/${id}/delete">
    <button class="quiet" aria-label="Delete note ${id}">Delete</button>
  </form>`;
  return [text, author, moment(created_at) as Html, remove];
}

async function nameOf(request: HttpRequest): Promise<string> {
  return (await request.user).username;
}

async function listUsers(): Promise<UserRow[]> {
  const { rows } = await db.query<UserRow>(
    `SELECT u.username, u.is_staff, u.last_login, count(s.key) AS sessions
     FROM postfork_users u LEFT JOIN postfork_sessions s ON s.user_id = u.id AND s.expires_at > now()
     GROUP BY u.id ORDER BY u.username LIMIT 100`,
    [],
    { name: 'users' },
  );
  return rows;
}

/** All clients of this database, whatever they are. */
async function listBackends(): Promise<Backend[]> {
  const { rows } = await db.query<Backend>(
    `SELECT pid, application_name, state, backend_start, query, pid = pg_backend_pid() AS own FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' ORDER BY backend_start LIMIT 100`,
    [],
    { name: 'backends' },
  );
  return rows;
}

// The requests that scripts/demo admin shows: `tour.ts http://127.0.0.1:8080`, with the passwords that `setup` prints in the
// environment. Exits with 1 where an answer is not the expected one.

interface Step {
  about: string;
  /** What it matches in the last page, where it is a pattern. */
  path: string | RegExp;
  /** Fields of a form: it is a POST. */
  form?: Record<string, string>;
  status: number;
  /** What the page must contain, or where the redirect must lead. */
  has: string;
}

const password = process.env['ADMIN_PASSWORD'] ?? '';
const visitor = process.env['VISITOR_PASSWORD'] ?? '';
const note = `from the tour: <b>"bold"</b> & such`;

const STEPS: readonly Step[] = [
  { about: 'a stranger: no query at all', path: '/', status: 200, has: 'nobody in particular' },
  { about: 'a stranger is sent to the login page', path: '/admin', status: 302, has: '/login?next=%2Fadmin' },
  { about: 'which is a form', path: '/login?next=%2Fadmin', status: 200, has: 'value="/admin"' },
  {
    about: 'a wrong password',
    path: '/login',
    form: { username: 'admin', password: 'wrong' },
    status: 200,
    has: 'No user has this name and this password.',
  },
  {
    about: 'the visitor logs in',
    path: '/login',
    form: { username: 'visitor', password: visitor, next: '/admin' },
    status: 303,
    has: '/admin',
  },
  { about: 'and is not staff', path: '/admin', status: 403, has: 'Forbidden' },
  { about: 'the visitor logs out', path: '/logout', form: {}, status: 303, has: '/' },
  {
    about: 'the admin logs in',
    path: '/login',
    form: { username: 'admin', password, next: '/admin' },
    status: 303,
    has: '/admin',
  },
  { about: 'session -> user -> is_staff -> queries', path: '/admin', status: 200, has: '<h1>Administration</h1>' },
  { about: 'a note, in a transaction', path: '/admin/notes', form: { text: note }, status: 303, has: '/admin' },
  { about: 'its HTML is text', path: '/admin', status: 200, has: '&#60;b&#62;&#34;bold&#34;&#60;/b&#62; &#38; such' },
  { about: 'and it is deleted again', path: /\/admin\/notes\/\d+\/delete/, form: {}, status: 303, has: '/admin' },
  { about: "the connections' lives", path: '/admin/connections', status: 200, has: '<svg role="img"' },
  { about: 'the admin logs out', path: '/logout', form: {}, status: 303, has: '/' },
  { about: 'and is a stranger', path: '/admin', status: 302, has: '/login?next=%2Fadmin' },
];

const [base = ''] = process.argv.slice(2);
let cookie = '';
let text = '';
let wrong = 0;
for (const { about, path: given, form, status, has } of STEPS) {
  const path = typeof given === 'string' ? given : (given.exec(text)?.[0] ?? '/none');
  const response = await fetch(base + path, {
    redirect: 'manual',
    headers: { Accept: 'text/html', Cookie: cookie },
    ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form) }),
  });
  for (const line of response.headers.getSetCookie()) cookie = line.split(';', 1)[0] ?? '';
  text = await response.text();
  const location = response.headers.get('Location');
  const right = response.status === status && (location === null ? text.includes(has) : location === has);
  if (!right) wrong += 1;
  console.log(`  ${form === undefined ? 'GET' : 'POST'} ${path}  (${about})`);
  console.log(`    ${response.status} ${location === null ? `${text.length} characters` : `-> ${location}`}`);
  if (!right) console.log(`    EXPECTED ${status} with ${has}`);
}
process.exitCode = wrong > 0 ? 1 : 0;

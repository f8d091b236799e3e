// An authorizer: the web server asks it whether a request may go on to what it protects (FastCGI specification, 6.3).
//
// In lighttpd:
//
//     fastcgi.server = ( "/private" => (
//       ( "socket" => "/run/authorizer.sock", "mode" => "authorizer", "check-local" => "disable" ),
//       ( "socket" => "/run/app.sock", "check-local" => "disable" ),
//     ) )

import { createHash, timingSafeEqual } from 'node:crypto';
import { Application, HttpResponse } from 'postfork';

const app = new Application();
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const passwords = new Map([['ada', digest(process.env.ADA_PASSWORD ?? 'lovelace')]]);

/** 200 lets the request go on, anything else is the answer to the client. Headers `Variable-NAME` become CGI variables. */
app.authorize((request) => {
  const [, credentials = ''] = /^Basic (\S+)$/i.exec(request.header('Authorization') ?? '') ?? [];
  const [user = '', ...password] = Buffer.from(credentials, 'base64').toString().split(':');
  const expected = passwords.get(user);
  if (expected === undefined || !timingSafeEqual(expected, digest(password.join(':')))) {
    const headers = { 'WWW-Authenticate': 'Basic realm="private", charset="UTF-8"' };
    return HttpResponse.text('Tell who you are.\n', { status: 401, headers });
  }
  return new HttpResponse(undefined, { headers: { 'Variable-AUTHORIZED_USER': user } });
});

export default app;

// An application that listens from where it is loaded on.

import { appendFileSync } from 'node:fs';
import { Application } from 'postfork';
import { configureDatabases, db } from 'postfork/db';

configureDatabases({ default: { applicationName: 'app' } });

const note = (text) => appendFileSync(process.env.DB_NOTES, `${text} ${process.pid}\n`);
const listening = await db.listen('news', { onReconnect: () => note('again') });
void (async () => {
  for await (const { payload } of listening) note(payload);
})();

export default new Application().get('/', () => 'ok');

// An application with the database settings of DB_SETTINGS.

import { Application } from 'postfork';
import { configureDatabases, db } from 'postfork/db';

configureDatabases({ default: JSON.parse(process.env.DB_SETTINGS) });

const app = new Application();
app.get('/', () => String(process.pid));
app.get('/backend', async () => (await db.query('SELECT pg_backend_pid() AS pid')).rows);
export default app;

// An application for bench/workers.ts, which `postfork serve` runs: it does next to nothing.

import { Application, HttpResponse } from 'postfork';

const body = 'x'.repeat(100);
const app = new Application();

app.get('/', () => HttpResponse.text(body));

export default app;

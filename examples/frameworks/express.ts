// Express 5 by FastCGI, as it is: postfork serve examples/frameworks/express.ts, or scripts/demo express.

import express from 'express';

const app = express();
app.use(express.json());

app.get('/', (request, response) => {
  response.send(`Hello from Express, ${request.ip ?? 'somebody'}.\n`);
});
app.post('/echo', (request, response) => {
  response.json(request.body);
});
app.get('/stream', (_request, response) => {
  response.type('text/plain');
  let left = 3;
  const timer = setInterval(() => {
    response.write(`piece ${4 - left}\n`);
    if (--left > 0) return;
    clearInterval(timer);
    response.end();
  }, 50);
});
app.get('/error', () => {
  throw new Error('an error on purpose');
});

export default app;

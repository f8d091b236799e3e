// An Express application, for bench/frameworks.ts.

import express from 'express';

const body = 'x'.repeat(Number(process.env.ANSWER_BYTES ?? 100));
const app = express();

app.use(express.json());
app.get('/', (request, response) => {
  response.type('text/plain').send(body);
});
app.post('/', (request, response) => {
  response
    .status(request.body.text === undefined ? 400 : 200)
    .type('text/plain')
    .send(body);
});

export default app;

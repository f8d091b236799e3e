// What legacy.spec.ts asks, in JavaScript: before Node 22.18 forked workers load no TypeScript.

import { Application } from 'postfork';

const app = new Application();
app.get('/variables', (request) => Object.fromEntries(request.environ));
app.fallback(async (request) => {
  const { method, target, path, mount, query } = request;
  return { method, target, path, mount, query: [...query], body: await request.text() };
});

export default app;

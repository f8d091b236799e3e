// Hello, world: postfork serve examples/hello.ts --listen unix:/tmp/hello.sock

import { Application } from 'postfork';

const app = new Application();
app.get('/', () => 'Hello from Postfork\n');
app.get('/hello/:name', (request) => ({ hello: request.params.name }));

export default app;

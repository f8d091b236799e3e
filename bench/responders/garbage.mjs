// An application for bench/workers.ts, which `postfork serve` runs: each request leaves garbage, some of it old by then, for
// which V8 has threads of its own where they are not turned off.

import { Application, HttpResponse } from 'postfork';

const KEPT = 200; // documents, some 20 MiB: they outlive the young generation, as a cache does

const body = 'x'.repeat(100);
const text = JSON.stringify(
  Array.from({ length: 460 }, (_, id) => ({
    id,
    name: `article number ${id}`,
    tags: ['prefork', 'signals'],
    price: id / 7,
    stock: { here: id % 11, there: id % 13 },
  })),
);
const kept = [];
let served = 0;

const app = new Application();

app.get('/', () => {
  const document = JSON.parse(text);
  document[served % document.length].price = served;
  kept[served++ % KEPT] = document;
  if (JSON.stringify(document).length < text.length / 2) throw new Error('half of it is gone');
  return HttpResponse.text(body);
});

export default app;

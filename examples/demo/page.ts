// The demo's pages: one layout, and tables.

import { escapeHtml, HttpResponse } from 'postfork';

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
  nav a { margin-right: 1rem } h1 { font-size: 1.4rem } table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ddd }
  td { overflow-wrap: anywhere }
  th { font-weight: 600; white-space: nowrap } code, pre { font-size: .9em } form { margin: 1rem 0 }`;

const PAGES: readonly [path: string, name: string][] = [
  ['/', 'Request'],
  ['/greet', 'Form'],
  ['/upload', 'Upload'],
  ['/clock', 'Events'],
  ['/count', 'Stream'],
  ['/fail', 'Error'],
];

/** A page below `mount`; its content is HTML. */
export function page(mount: string, title: string, content: string): HttpResponse {
  const links = PAGES.map(([path, name]) => `<a href="${escapeHtml(mount + path)}">${name}</a>`).join('');
  return HttpResponse.html(`<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)} - Postfork demo</title>
<style>${STYLE}</style>
<nav>${links}</nav>
<h1>${escapeHtml(title)}</h1>
${content}
</html>
`);
}

/** Names and values; both are text. */
export function table(rows: Iterable<readonly [name: string, value: string]>): string {
  const lines = [...rows].map(([name, value]) => `<tr><th>${escapeHtml(name)}<td><code>${escapeHtml(value)}</code>`);
  return `<table>${lines.join('\n')}</table>`;
}

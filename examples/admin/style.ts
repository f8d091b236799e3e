// The pages' style: light and dark, for screens of any width.

import { createHash } from 'node:crypto';
import { Html } from './html.ts';

const STYLE = `
  :root {
    color-scheme: light dark;
    --text: #1d2430; --dim: #5c6675; --line: #d8dde5; --back: #fff; --panel: #f5f7fa; --accent: #1f5fbf;
    --accent-text: #fff; --life: #9fc3f5; --use: #1f5fbf; --open: #1a8a4a; --bad: #b3261e;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --text: #e6e9ef; --dim: #9aa5b5; --line: #343c49; --back: #14181f; --panel: #1c222c; --accent: #7fb2ff;
      --accent-text: #0b1420; --life: #35507a; --use: #7fb2ff; --open: #4cc27d; --bad: #ff8a80;
    }
  }
  * { box-sizing: border-box }
  body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back) }
  header { border-bottom: 1px solid var(--line); background: var(--panel) }
  nav, main { max-width: 60rem; margin: 0 auto; padding: .7rem 1rem }
  nav { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1.2rem }
  nav form { margin-left: auto }
  nav span { color: var(--dim) }
  a { color: var(--accent) } nav a { text-decoration: none } nav a[aria-current] { font-weight: 600; color: var(--text) }
  h1 { font-size: 1.5rem; margin: .8rem 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
  p { margin: .6rem 0; max-width: 46rem } .dim { color: var(--dim) } .bad { color: var(--bad); font-weight: 600 }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line) }
  th { font-weight: 600; color: var(--dim); font-size: .9rem; white-space: nowrap }
  td { overflow-wrap: anywhere; min-width: 5.5rem } td:last-child, th:last-child { padding-right: 0 } .short { white-space: nowrap }
  td form { text-align: right }
  @media (max-width: 40rem) {
    thead { display: none } table, tbody { display: block }
    tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line) }
    td { display: flex; gap: .8rem; min-width: 0; padding: .1rem 0; border: 0 }
    td::before { content: attr(data-label); flex: 0 0 6.5rem; color: var(--dim) }
  }
  code { font-size: .92em }
  input { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: .4rem;
    padding: .4rem .6rem; width: 100% }
  button { font: inherit; white-space: nowrap; cursor: pointer; border: 1px solid var(--accent); border-radius: .4rem; padding: .35rem .9rem;
    background: var(--accent); color: var(--accent-text) }
  button.quiet { background: none; border-color: var(--line); color: var(--text); padding: .15rem .6rem }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  .login { max-width: 22rem } .login label { display: block; margin-top: .8rem } .login button { margin-top: 1.2rem } .row { display: flex; gap: .6rem; margin: .8rem 0 }
  .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .6rem; margin: .8rem 0; padding: 0 }
  .facts div { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .7rem }
  .facts dt { color: var(--dim); font-size: .85rem } .facts dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums }
  svg { display: block; width: 100%; font: 13px system-ui, sans-serif }
  svg text { fill: var(--text) } svg .tick { fill: var(--dim) } svg .grid { stroke: var(--line) }
  svg line { stroke-linecap: round } svg .life { stroke: var(--life); stroke-width: 10 } svg .use { stroke: var(--use); stroke-width: 5 } svg .open { fill: var(--open) }
`;

/** Whole, since the policy has its hash. */
export const STYLE_ELEMENT: Html = new Html(`<style>${STYLE}</style>`);

const hash = createHash('sha256').update(STYLE).digest('base64');

/** Nothing but this style, and forms that come back to here: no scripts, no other site. */
export const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${hash}'`,
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

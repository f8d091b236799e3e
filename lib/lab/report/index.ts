// report/: what a run of the lab has found, for people (a page, a table in the terminal) and for programs.

export { allHolds, brokeDown, failed } from './figures.ts';
export { reportJson } from './json.ts';
export { reportHtml } from './page.ts';
export { reportText, type TextOptions } from './text.ts';

// Every error text that was seen: by whom, how often and where.

import type { ErrorText, LabResult } from '../result.ts';
import { brokeDown, inOrder } from './figures.ts';
import { groupBy } from './group-by.ts';
import { html, preformatted, type Html } from './html.ts';
import { KINDS, count } from './words.ts';

const SOURCES: Readonly<Record<ErrorText['source'], string>> = {
  page: 'in the page',
  application: 'in the application',
  postgresql: 'in PostgreSQL’s log',
  pgbouncer: 'in pgbouncer’s log',
};

interface Seen {
  readonly error: ErrorText;
  readonly count: number;
  readonly cells: readonly string[];
}

export function errorTexts(result: LabResult): Html {
  const seen = seenIn(result);
  const refusals = refusalsIn(result);
  if (seen.length === 0 && refusals.length === 0) return html`<p>No error was seen.</p>`;
  return html`${seen.map(
    ({ error, count: times, cells }) =>
      html`<article class="error">
        <h3>${KINDS[error.kind].name} <small>${SOURCES[error.source]}, ${count(times, 'time')}</small></h3>
        ${preformatted(error.text)}
        <p class="dim">in ${ids(cells)}</p>
      </article>`,
  )}
  ${refusals.map(
    ({ title, text, cells }) =>
      html`<article class="error">
        <h3>${title} <small>what it said instead, ${count(cells.length, 'time')}</small></h3>
        ${preformatted(text)}
        <p class="dim">in ${ids(cells)}</p>
      </article>`,
  )}`;
}

function ids(cells: readonly string[]): readonly Html[] {
  return cells.map((id, index) => html`${index === 0 ? '' : ', '}<code>${id}</code>`);
}

/** One text of one kind and source is one, whatever the cell; the most frequent first. */
function seenIn({ cells }: LabResult): readonly Seen[] {
  const all = inOrder(cells).flatMap(({ cell, errors }) => errors.map((error) => ({ error, id: cell.id })));
  const groups = groupBy(all, ({ error }) => JSON.stringify([error.kind, error.source, error.text]));
  return [...groups.values()]
    .flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      const times = group.reduce((sum, { error }) => sum + error.count, 0);
      return [{ error: first.error, count: times, cells: [...new Set(group.map(({ id }) => id))] }];
    })
    .toSorted((one, other) => other.count - one.count);
}

interface Refusal {
  readonly title: string;
  readonly text: string;
  readonly cells: readonly string[];
}

function refusalsIn({ cells }: LabResult): readonly Refusal[] {
  const refused = inOrder(cells).flatMap((result) => {
    if (result.refused === null) return [];
    return [
      { title: brokeDown(result) ? 'Did not start' : 'Refused to start', text: result.refused, id: result.cell.id },
    ];
  });
  return [...groupBy(refused, ({ title, text }) => `${title} ${text}`).values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ title: first.title, text: first.text, cells: group.map(({ id }) => id) }];
  });
}

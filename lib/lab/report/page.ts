// reportHtml(): the whole report as one page that needs nothing else.

import type { LabResult } from '../result.ts';
import { again, leftOut } from './again.ts';
import { charts } from './chart/index.ts';
import { concurrency } from './concurrency.ts';
import { errorTexts } from './error-texts.ts';
import { facts } from './facts.ts';
import { allHolds, verdict } from './figures.ts';
import { headline, lawSentence } from './headline.ts';
import { html, Html } from './html.ts';
import { pictures } from './picture/index.ts';
import { scoreboard } from './scoreboard.ts';
import { STYLE } from './style.ts';

/** The page may load nothing and run nothing, even where a text of the run had a way into it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** One HTML page: no script, no network, dark and light. Everything of the result is text in it. */
export function reportHtml(result: LabResult): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <title>Postfork lab: connections opened before the fork</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <header>
          <p class="dim">Postfork lab</p>
          <h1>Database connections opened before the fork</h1>
          ${headline(result).map((sentence) => html`<p class="headline">${sentence}</p>`)} ${law(result)}
          ${facts(result)}
        </header>
        <main>
          <section id="scoreboard">
            <h2>Scoreboard</h2>
            ${scoreboard(result)}
          </section>
          <section id="pictures">
            <h2>Who held which connection</h2>
            ${pictures(result)}
          </section>
          <section id="charts">
            <h2>The law, drawn</h2>
            ${charts(result)}
          </section>
          <section id="errors">
            <h2>Every error text</h2>
            ${errorTexts(result)}
          </section>
          ${concurrency(result)}
          <section id="again">
            <h2>Run it again</h2>
            ${again(result)}
          </section>
          <section id="left">
            <h2>Left out</h2>
            ${leftOut(result)}
          </section>
        </main>
      </body>
    </html> `.text;
}

function law(result: LabResult): Html {
  const { of } = verdict(result);
  if (result.cells.length > 0 && !allHolds(result))
    return html`<p class="verdict broken"><b>✗</b> ${lawSentence(result)}</p>`;
  return html`<p class="verdict ${of === 0 ? '' : 'held'}"><b>${of === 0 ? '–' : '✓'}</b> ${lawSentence(result)}</p>`;
}

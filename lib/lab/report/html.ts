// html`...`: HTML (and SVG) in which every value is text, unless it is Html itself.

import { visible } from './visible.ts';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `undefined` is nothing, a list its items one after the other. */
export type Content = Html | string | number | undefined | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Numbers are written with at most two decimals: what pixels and ratios need. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((part, at) => part + textOf(values[at])).join(''));
}

/** A text as it is, line by line; the parser takes the first line feed away. Its focus is for who scrolls by keys. */
export function preformatted(text: string): Html {
  return html`<pre tabindex="0">${`\n${text}`}</pre>`;
}

function textOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  if (typeof content === 'number') return String(Math.round(content * 100) / 100);
  return visible(content).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

// html`...`: HTML in which every value is text, unless it is HTML of this kind itself.

import { escapeHtml } from 'postfork';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** `undefined` is nothing, a list its items one after the other. */
export type Content = Html | string | number | undefined | readonly Content[];

export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((part, at) => part + textOf(values[at])).join(''));
}

function textOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escapeHtml(String(content));
}

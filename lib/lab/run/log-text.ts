// LogText: a log as it comes, and what has come since a moment.

export class LogText {
  #pieces: string[] = [];
  #length = 0;

  /** Characters. */
  get length(): number {
    return this.#length;
  }

  add(text: string): void {
    this.#pieces.push(text);
    this.#length += text.length;
  }

  /** What has come since its length was so. */
  since(length: number): string {
    const text = this.#pieces.join('');
    this.#pieces = [text];
    return text.slice(length);
  }
}

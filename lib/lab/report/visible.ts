// visible(): control characters as pictures. An error text may have any byte; neither HTML nor a terminal may.

const CONTROL_PICTURES = 0x2400; // Unicode's block of them, in the order of the characters
const DELETE = 0x7f;

/** All but tab and line feed; CR LF becomes a line feed. C1 controls, which some terminals obey, become U+FFFD. */
export function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll('\r\n', '\n').replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code > DELETE) return '\ufffd';
    return String.fromCharCode(CONTROL_PICTURES + (code === DELETE ? 0x21 : code));
  });
}

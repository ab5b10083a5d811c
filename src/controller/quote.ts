/** Characters of a foreign text that a message shows. */
const MOST = 64;

/** Control and format characters (bidi among them), separators other than the blank, lone surrogates, unassigned. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}"\\]/u;

/**
 * Quotes what somebody has written for a message of one line: shortened, and without characters that would hide what
 * it says. Whatever comes in, it gives no more than 400 characters.
 */
export function quote(text: string): string {
  let shown = "";
  let count = 0;
  for (const character of text) {
    if (count++ === MOST) return `"${shown}..." (${text.length} characters)`;
    shown += UNSAFE.test(character) ? escapeOf(character) : character;
    if (shown.length > 360) return `"${shown}..." (${text.length} characters)`;
  }
  return `"${shown}"`;
}

function escapeOf(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

// Letters and digits of pairing codes: Crockford's base 32, without I, L, O and U.
const letters = /^[0-9A-HJKMNP-TV-Z]$/;
const length = 8;

/**
 * normalizeCode reads a pairing code as people type it, as the hub does: small letters, without the dash, with spaces, O
 * for 0, I and L for 1. Or it says what is wrong.
 */
export function normalizeCode(typed: string): { code: string } | { wrong: string } {
  const text = typed
    .toUpperCase()
    .replace(/[\s_-]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  const odd = [...text].find((c) => !letters.test(c));
  if (odd) return { wrong: `“${odd}” is in no pairing code. A code has eight letters and digits, such as 7ZK4-M0QD.` };
  if (text.length !== length) {
    return { wrong: `A pairing code has eight letters and digits, such as 7ZK4-M0QD; these are ${text.length}.` };
  }
  return { code: `${text.slice(0, 4)}-${text.slice(4)}` };
}

/** codeIn gives the pairing code in what a QR code says: a link with ?code=…, or the code alone. */
export function codeIn(scanned: string): string | undefined {
  const linked = URL.canParse(scanned) ? new URL(scanned).searchParams.get('code') : scanned;
  const read = normalizeCode(linked ?? '');
  return 'code' in read ? read.code : undefined;
}

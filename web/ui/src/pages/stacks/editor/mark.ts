/** Mark is something to say about a piece of a text. */
export interface Mark {
  /** UTF-16 offsets into the text. */
  from: number;
  to: number;
  severity: 'error' | 'warning';
  message: string;
}

/** lineOf gives the line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** lineRange gives the offsets of a line's text without its indent; of the last line where there are fewer. */
export function lineRange(text: string, line: number): { from: number; to: number } {
  let from = 0;
  for (let n = 1; n < line; n++) {
    const next = text.indexOf('\n', from);
    if (next < 0) break;
    from = next + 1;
  }
  const end = text.indexOf('\n', from);
  const to = end < 0 ? text.length : end;
  const indent = text.slice(from, to).search(/\S/);
  return { from: indent > 0 ? from + indent : from, to };
}

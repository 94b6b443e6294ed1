import { amountOf } from './amount';

/** Pass is one time of contact, as the API has it. */
export interface Pass {
  /** RFC 3339. */
  start: string;
  seconds: number;
  /** Expected to fit; absent: not known. */
  bytes?: number | undefined;
}

/** Read is what a table of passes says, or what is wrong with it, a sentence for each line. */
export type Read = { passes: Pass[] } | { wrong: string[] };

/** The most passes of one table. */
export const mostPasses = 512;
const mostWrong = 5;

const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i;
const date = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s*(?:Z|[+-]\d\d:?\d\d))?$/i;

/** timeOf reads a time of a table: RFC 3339, a date and a time in UTC, or Unix seconds. */
function timeOf(text: string): number | undefined {
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1000;
  if (!date.test(text)) return undefined;
  const plain = text.replace(/\s+(?=Z|[+-]\d\d:?\d\d$)/i, '').replace(' ', 'T');
  const t = Date.parse(zoned.test(plain) ? plain : `${plain}Z`);
  return Number.isNaN(t) ? undefined : t;
}

const columns = ['start', 'end', 'bytes'] as const;

/**
 * readPasses reads a table of passes: a line each, with start, end and, where it is known, how many bytes fit. A first
 * line with these names may put them into another order. Columns are apart by commas, semicolons or tabs.
 */
export function readPasses(text: string): Read {
  const lines = text.split(/\r?\n/).map((l, i) => ({ number: i + 1, text: l.trim() }));
  const filled = lines.filter((l) => l.text !== '' && !l.text.startsWith('#'));
  if (filled.length === 0) return { wrong: ['There is no line with a pass. Each has start, end and bytes.'] };
  const mark = ['\t', ';', ','].find((m) => filled[0]?.text.includes(m)) ?? ',';
  const parts = (l: string) => l.split(mark).map((p) => p.trim().replace(/^"(.*)"$/, '$1'));
  let order: string[] = [...columns];
  const head = parts(filled[0]?.text ?? '').map((p) => p.toLowerCase());
  if (head.includes('start')) {
    order = head;
    const unknown = head.find((h) => !columns.includes(h as (typeof columns)[number]));
    if (unknown !== undefined || !head.includes('end'))
      return { wrong: [`Line ${filled[0]?.number}: want the columns start, end and bytes.`] };
    filled.shift();
    if (filled.length === 0) return { wrong: ['There is no pass below the names of the columns.'] };
  }
  const passes: Pass[] = [];
  const wrong: string[] = [];
  for (const l of filled) {
    const row = parts(l.text);
    const get = (name: string) => row[order.indexOf(name)] ?? '';
    const [start, end, fits] = [timeOf(get('start')), timeOf(get('end')), amountOf(get('bytes'))];
    const bad =
      row.length > order.length
        ? `has ${row.length} columns, not ${order.length}`
        : start === undefined
          ? `“${get('start')}” is no start, such as 2026-11-23T10:00:00Z`
          : end === undefined
            ? `“${get('end')}” is no end, such as 2026-11-23T10:10:00Z`
            : end <= start
              ? 'it ends before it starts'
              : get('bytes') !== '' && fits === undefined
                ? `“${get('bytes')}” is no number of bytes, such as 250000 or 250 kB`
                : undefined;
    if (bad !== undefined) wrong.push(`Line ${l.number}: ${bad}.`);
    else if (start !== undefined && end !== undefined)
      passes.push({
        start: new Date(start).toISOString(),
        seconds: Math.round((end - start) / 1000),
        ...(fits && { bytes: fits }),
      });
  }
  if (wrong.length > mostWrong)
    return { wrong: [...wrong.slice(0, mostWrong), `${wrong.length - mostWrong} more lines are wrong.`] };
  if (wrong.length > 0) return { wrong };
  if (passes.length > mostPasses)
    return { wrong: [`There are ${passes.length} passes: give the next ${mostPasses}, and the others later.`] };
  return { passes: passes.sort((a, b) => Date.parse(a.start) - Date.parse(b.start)) };
}

/** endOf is when a pass ends, in ms. */
export const endOf = (p: Pass): number => Date.parse(p.start) + p.seconds * 1000;

/** writePasses writes a table as readPasses reads it. */
export function writePasses(passes: readonly Pass[]): string {
  const time = (ms: number) => new Date(ms).toISOString().replace('.000', '');
  return [
    columns.join(','),
    ...passes.map((p) => `${time(Date.parse(p.start))},${time(endOf(p))},${p.bytes ?? ''}`),
    '',
  ].join('\n');
}

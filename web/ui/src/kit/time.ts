const steps: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365.25 * 86400],
  ['month', 30.44 * 86400],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'short' });
const exactly = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'long',
});

/** Times as the API has them: RFC 3339, or Unix seconds in what devices send. */
export type Time = string | number | undefined;

/** dateOf reads a time. undefined: there is none (Go's zero time included). */
export function dateOf(t: Time): Date | undefined {
  if (t === undefined || t === 0 || t === '') return undefined;
  const d = new Date(typeof t === 'number' ? t * 1000 : t);
  return Number.isNaN(d.getTime()) || d.getUTCFullYear() < 1970 ? undefined : d;
}

/** ago says how far a time is from now: "3 min. ago", "in 2 hr.", "now" within a second. */
export function ago(d: Date, now: number): string {
  const seconds = (d.getTime() - now) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return 'now';
}

/** until says how far a time is ahead: "in 2 hr.", and "now" once it has come. */
export function until(d: Date, now: number): string {
  return ago(new Date(Math.max(d.getTime(), now)), now);
}

/** exact gives date and time with its zone. */
export function exact(d: Date): string {
  return exactly.format(d);
}

/** moment gives day and time shortly, with its zone: by this computer's clock, or by that of a time zone. */
export function moment(d: Date, timeZone?: string): string {
  const form = { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' } as const;
  try {
    return new Intl.DateTimeFormat('en-GB', { ...form, timeZoneName: 'short', ...(timeZone && { timeZone }) }).format(
      d,
    );
  } catch {
    return moment(d, 'UTC');
  }
}

/** span says how long something takes: "1 h 5 min". */
export function span(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(seconds));
  for (const [word, size] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n} ${word}`);
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}

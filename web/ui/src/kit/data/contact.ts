import { secondsOf } from '../frequency';
import { startOf, timesOf, type WindowTimes, windowWords, wrongTimes } from '../rollout/windows';

/** ContactWindow is a time of contact that comes again and again, as the API has it. */
export interface ContactWindow {
  start: string;
  seconds: number;
  zone?: string | undefined;
}

/** ContactForm is a contact window as it is typed in. */
export interface ContactForm extends WindowTimes {
  readonly id: number;
  /** How long it lasts, such as 10m. */
  readonly long: string;
}

/** The most windows of one profile. */
export const mostWindows = 16;

const least = 10;
const most = 7 * 86_400;

/** longText writes a length as people type it. */
export function longText(seconds: number): string {
  for (const [unit, size] of [
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

/** contactForm gives the fields of a contact window. */
export const contactForm = (w: ContactWindow, id: number): ContactForm => ({
  id,
  long: longText(w.seconds),
  ...timesOf(w.start, w.zone),
});

/** contactOf gives what the API takes. */
export const contactOf = (f: ContactForm): ContactWindow => ({
  start: startOf(f),
  seconds: secondsOf(f.long.trim()) ?? 0,
  ...(f.zone.trim() && { zone: f.zone.trim() }),
});

/** wrongContact says what is wrong with a contact window. */
export function wrongContact(f: ContactForm): string | undefined {
  const seconds = secondsOf(f.long.trim());
  return (
    wrongTimes(f) ??
    (seconds !== undefined && seconds >= least && seconds <= most
      ? undefined
      : 'Say how long it lasts, such as 10m or 90s: 10 s to 7 days (168h).')
  );
}

/** contactWords says a contact window: "each day from 02:00 for 10 min, UTC". */
export const contactWords = (w: ContactWindow): string =>
  windowWords({ start: w.start, minutes: w.seconds / 60, zone: w.zone });

/** newContact is a window that one begins with. */
export const newContact = (id: number): ContactForm => ({
  id,
  days: [],
  at: '',
  cron: '0 */6 * * *',
  long: '10m',
  zone: '',
});

const line = /^(\S+(?:\s+\S+){4})\s+for\s+(\S+)(?:\s+in\s+(\S+))?$/;

/** contactText writes windows as text, a line each: "0 2 * * * for 10m in Europe/Oslo". */
export const contactText = (windows: readonly ContactWindow[] | null | undefined): string =>
  (windows ?? []).map((w) => `${w.start} for ${longText(w.seconds)}${w.zone ? ` in ${w.zone}` : ''}`).join('\n');

/** formsText writes what is being typed; a window that is not whole yet has a question mark, and is no window. */
export const formsText = (forms: readonly ContactForm[]): string =>
  forms.map((f) => (wrongContact(f) ? `? ${f.cron ?? f.at} for ${f.long}` : contactText([contactOf(f)]))).join('\n');

/** windowsOf reads what contactText writes; undefined: a line is no window. */
export function windowsOf(text: string): ContactWindow[] | undefined {
  const out: ContactWindow[] = [];
  for (const l of text.split('\n').filter((t) => t.trim() !== '')) {
    const m = line.exec(l.trim());
    const seconds = secondsOf(m?.[2] ?? '');
    if (!m || seconds === undefined || l.startsWith('?')) return undefined;
    out.push({ start: m[1] ?? '', seconds, ...(m[3] && { zone: m[3] }) });
  }
  return out;
}

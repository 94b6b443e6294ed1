import { span } from '../time';

/** Window is a change window as the API has it. */
export interface Window {
  start: string;
  minutes: number;
  zone?: string | undefined;
}

/** WindowTimes are when a window opens, as it is typed in. */
export interface WindowTimes {
  /** Days of the week, 0 to 6 from Sunday; none: each day. Not used where cron is given. */
  readonly days: readonly number[];
  /** Time of day, HH:MM. */
  readonly at: string;
  readonly zone: string;
  /** Five fields of cron, where days and a time do not say it. */
  readonly cron?: string;
}

/** WindowForm is a change window as it is typed in. */
export interface WindowForm extends WindowTimes {
  readonly id: number;
  readonly minutes: number | string;
}

/** The days of a week, as people in most places count them. */
export const week = [
  { day: 1, name: 'Mon' },
  { day: 2, name: 'Tue' },
  { day: 3, name: 'Wed' },
  { day: 4, name: 'Thu' },
  { day: 5, name: 'Fri' },
  { day: 6, name: 'Sat' },
  { day: 0, name: 'Sun' },
] as const;

/** night is a window that one begins with. */
export const night = (id: number): WindowForm => ({ id, days: [], at: '02:00', minutes: 120, zone: '' });

const two = (n: number) => String(n).padStart(2, '0');

/** daysOf reads the fifth field of cron as days of the week, sorted; undefined: it is more than a list of days. */
function daysOf(field: string): number[] | undefined {
  if (field === '*') return [];
  const days = new Set<number>();
  for (const part of field.split(',')) {
    const m = /^([0-7])(?:-([0-7]))?$/.exec(part);
    if (!m) return undefined;
    const [from, to] = [Number(m[1]), Number(m[2] ?? m[1])];
    if (to < from) return undefined;
    for (let d = from; d <= to; d++) days.add(d % 7);
  }
  return days.size === 7 ? [] : [...days].sort();
}

/** timesOf gives the fields of when a window opens, of what cron says. */
export function timesOf(start: string, zone = ''): WindowTimes {
  const m = /^(\d{1,2}) (\d{1,2}) \* \* (\S+)$/.exec(start.trim().replace(/\s+/g, ' '));
  const days = m && daysOf(m[3] ?? '');
  if (!m || !days) return { days: [], at: '', zone, cron: start };
  return { days, at: `${two(Number(m[2]))}:${two(Number(m[1]))}`, zone };
}

/** startOf says when a window opens as cron does. */
export function startOf(t: WindowTimes): string {
  const [h, m] = t.at.split(':').map(Number);
  return t.cron?.trim() ?? `${m ?? 0} ${h ?? 0} * * ${t.days.length > 0 ? [...t.days].sort().join(',') : '*'}`;
}

/** formOfWindow gives the fields of a window. */
export const formOfWindow = (w: Window, id: number): WindowForm => ({
  id,
  minutes: w.minutes,
  ...timesOf(w.start, w.zone),
});

/** windowOf gives what the API takes. */
export const windowOf = (f: WindowForm): Window => ({
  start: startOf(f),
  minutes: Number(f.minutes),
  ...(f.zone.trim() && { zone: f.zone.trim() }),
});

/** wrongTimes says what is wrong with when a window opens. */
export function wrongTimes(f: WindowTimes): string | undefined {
  if (f.cron !== undefined && !/^\S+(\s+\S+){4}$/.test(f.cron.trim()))
    return 'Want five fields of cron, such as 0 2 1 * * for the first of each month at 02:00.';
  if (f.cron === undefined && !/^([01]\d|2[0-3]):[0-5]\d$/.test(f.at)) return 'Say when it opens, such as 02:00.';
  return undefined;
}

/** wrongWindow says what is wrong with a window. */
export function wrongWindow(f: WindowForm): string | undefined {
  const wrong = wrongTimes(f);
  if (wrong) return wrong;
  const n = Number(f.minutes);
  return n >= 1 && n <= 10_080 ? undefined : 'Say how long it lasts: 1 minute to 7 days (10,080).';
}

function dayWords(days: readonly number[]): string {
  if (days.length === 0) return 'each day';
  const names = week.filter((w) => days.includes(w.day)).map((w) => w.name);
  const runs = names.join(' ');
  if (runs === 'Mon Tue Wed Thu Fri') return 'Mon to Fri';
  return names.length === 1 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** cronWords says the simplest of what days and a time do not say, and leaves the rest to cron. */
function cronWords(cron: string): string {
  const m = /^(?:(\d+) \*(?:\/(\d+))?|\*\/(\d+) \*) \* \* \*$/.exec(cron.trim().replace(/\s+/g, ' '));
  const [hours, minutes] = [Number(m?.[2] ?? 1), Number(m?.[3])];
  // Steps that do not divide a day or an hour are shorter at its end.
  if (m?.[3] && minutes > 0 && 60 % minutes === 0) return `each ${span(minutes * 60)}`;
  if (m?.[1] && hours > 0 && 24 % hours === 0)
    return `each ${span(hours * 3600)}${Number(m[1]) ? ` at minute ${Number(m[1])}` : ''}`;
  return `when cron says ${cron}`;
}

/** windowWords says a change window: "Sat and Sun from 02:00 for 2 h, by each device’s clock". */
export function windowWords(w: Window): string {
  const f = formOfWindow(w, 0);
  const when = f.cron === undefined ? `${dayWords(f.days)} from ${f.at}` : cronWords(f.cron);
  return `${when} for ${span(w.minutes * 60)}, ${w.zone ? w.zone : 'by each device’s clock'}`;
}

/** Rule is when devices may be changed, as the API has it. */
export interface Rule {
  windows?: readonly Window[] | null | undefined;
  approve?: boolean | undefined;
  fetch_late?: boolean | undefined;
}

/** ruleWords says when devices may be changed. */
export function ruleWords(r: Rule): string {
  const windows = r.windows ?? [];
  const said: string[] = [];
  said.push(
    windows.length === 0 ? 'Devices change at any time' : `Devices change ${windows.map(windowWords).join('; ')}`,
  );
  if (r.approve) said.push('when somebody has approved the rollout');
  if (windows.length > 0 || r.approve) said.push(r.fetch_late ? 'and fetch only then' : 'and fetch before');
  return `${said.join(', ')}.`;
}

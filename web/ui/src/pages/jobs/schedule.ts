import type { Schedule } from './queries';

/** How often, as people say it. */
export const often = [
  { value: 'every', label: 'Every so many minutes or hours' },
  { value: 'daily', label: 'Every day' },
  { value: 'weekly', label: 'On days of the week' },
  { value: 'monthly', label: 'On a day of the month' },
  { value: 'once', label: 'Once, at a time' },
  { value: 'now', label: 'Once, now' },
  { value: 'manual', label: 'Only when somebody asks for it' },
  { value: 'cron', label: 'By cron text' },
] as const;

export type Often = (typeof often)[number]['value'];

/** What divides an hour or a day, so that the time between runs is always the same. */
export const steps = [
  ...[1, 2, 5, 10, 15, 20, 30].map((n) => ({ value: `${n}m`, label: n === 1 ? 'minute' : `${n} minutes` })),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => ({ value: `${n}h`, label: n === 1 ? 'hour' : `${n} hours` })),
];

export const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;

/** ScheduleForm is a schedule as it is typed. */
export interface ScheduleForm {
  often: Often;
  step: string;
  /** Time of day, such as 02:00. */
  time: string;
  /** Days of the week, Monday as 1 and Sunday as 7. */
  days: readonly string[];
  day: string;
  /** By this computer's clock, as a field of date and time has it. */
  at: string;
  cron: string;
  /** hub, device, or '' for the one that is named. */
  zone: string;
  zoneName: string;
  /** Minutes. */
  jitter: string;
  start: string;
  end: string;
}

export const newSchedule = (): ScheduleForm => ({
  often: 'daily',
  step: '15m',
  time: '02:00',
  days: ['1'],
  day: '1',
  at: '',
  cron: '0 2 * * *',
  zone: 'device',
  zoneName: '',
  jitter: '0',
  start: '',
  end: '',
});

const clock = /^([01]?\d|2[0-3]):([0-5]\d)$/;

/** cronOf gives the cron text of what is chosen; undefined: something is missing or wrong, or it is none. */
export function cronOf(f: ScheduleForm): string | undefined {
  if (f.often === 'cron') return f.cron.trim() || undefined;
  if (f.often === 'every') {
    const n = Number.parseInt(f.step, 10);
    if (f.step.endsWith('m')) return n === 1 ? '* * * * *' : `*/${n} * * * *`;
    return n === 1 ? '0 * * * *' : `0 */${n} * * *`;
  }
  const time = clock.exec(f.time);
  if (!time) return undefined;
  const at = `${Number(time[2])} ${Number(time[1])}`;
  if (f.often === 'daily') return `${at} * * *`;
  if (f.often === 'monthly') {
    const day = Number(f.day);
    return Number.isInteger(day) && day >= 1 && day <= 31 ? `${at} ${day} * *` : undefined;
  }
  if (f.often !== 'weekly' || f.days.length === 0 || f.days.some((d) => !/^[1-7]$/.test(d))) return undefined;
  return `${at} * * ${[...f.days]
    .sort()
    .map((d) => (d === '7' ? '0' : d))
    .join(',')}`;
}

const instant = (local: string): string | undefined => {
  const d = new Date(local);
  return local === '' || Number.isNaN(d.getTime()) ? undefined : d.toISOString();
};

/** minutesOf reads whole seconds from minutes as typed; undefined: it is no number of minutes. */
function secondsOf(minutes: string): number | undefined {
  const n = Number(minutes.trim() || '0');
  return Number.isFinite(n) && n >= 0 && n <= 10_080 ? Math.round(n * 60) : undefined;
}

const repeats = (f: ScheduleForm) => !['once', 'now', 'manual'].includes(f.often);

/** wrongSchedule says by field what has to be typed otherwise. What the hub alone knows, such as a cron text, is not judged. */
export function wrongSchedule(f: ScheduleForm): Partial<Record<keyof ScheduleForm, string>> {
  const out: Partial<Record<keyof ScheduleForm, string>> = {};
  const timed = f.often === 'daily' || f.often === 'weekly' || f.often === 'monthly';
  if (timed && !clock.test(f.time)) out.time = 'Type a time of day, such as 02:00.';
  if (f.often === 'weekly' && f.days.length === 0) out.days = 'Choose one day at least.';
  if (f.often === 'monthly' && cronOf({ ...f, time: '00:00' }) === undefined) out.day = 'Type a day from 1 to 31.';
  if (f.often === 'once' && !instant(f.at)) out.at = 'Choose a day and a time.';
  if (f.often === 'cron' && f.cron.trim() === '') out.cron = 'Type five fields, such as 0 2 * * 1-5.';
  if (repeats(f) && f.zone === '' && f.zoneName.trim() === '') out.zoneName = 'Type a name, such as Europe/Oslo.';
  if (secondsOf(f.jitter) === undefined) out.jitter = 'Type a number of minutes, up to a week.';
  const [start, end] = [instant(f.start), instant(f.end)];
  if (start && end && end <= start) out.end = 'It ends before it begins.';
  return out;
}

/** problemsOf says by field what the hub finds wrong with a schedule. */
export function problemsOf(problems: readonly string[]): Partial<Record<keyof ScheduleForm, string>> {
  const out: Partial<Record<keyof ScheduleForm, string>> = {};
  for (const p of problems) {
    const m = /\bschedule\.(cron|zone): (.*)$/s.exec(p);
    if (m) out[m[1] === 'cron' ? 'cron' : 'zoneName'] = m[2] ?? p;
  }
  return out;
}

/** scheduleOf gives what is typed as the API takes it; undefined: something is wrong. */
export function scheduleOf(f: ScheduleForm): Schedule | undefined {
  if (Object.keys(wrongSchedule(f)).length > 0) return undefined;
  if (f.often === 'manual' || f.often === 'now') return { kind: f.often };
  const jitter = secondsOf(f.jitter);
  const late = jitter ? { jitter_seconds: jitter } : {};
  const at = instant(f.at);
  if (f.often === 'once') return { kind: 'at', ...(at && { at }), ...late };
  const [cron, start, end] = [cronOf(f), instant(f.start), instant(f.end)];
  return {
    kind: 'cron',
    ...(cron && { cron }),
    zone: f.zone || f.zoneName.trim(),
    ...late,
    ...(start && { start }),
    ...(end && { end }),
  };
}

/** local writes an instant as a field of date and time takes it, by this computer's clock. */
function local(t: string | undefined): string {
  if (!t) return '';
  const d = new Date(t);
  if (Number.isNaN(d.getTime())) return '';
  const two = (n: number) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}

/** formOf reads a schedule into the fields; a cron text that they cannot say stays one. */
export function formOf(s: Schedule): ScheduleForm {
  const f: ScheduleForm = {
    ...newSchedule(),
    zone: s.zone === 'hub' || s.zone === 'device' ? s.zone : s.zone ? '' : 'hub',
    zoneName: s.zone && s.zone !== 'hub' && s.zone !== 'device' ? s.zone : '',
    jitter: String((s.jitter_seconds ?? 0) / 60),
    start: local(s.start),
    end: local(s.end),
    at: local(s.at),
  };
  if (s.kind === 'at') return { ...f, often: 'once' };
  if (s.kind !== 'cron') return { ...f, often: s.kind };
  return { ...f, cron: s.cron ?? '', ...saidBy(s.cron ?? '') };
}

function saidBy(cron: string): Partial<ScheduleForm> & { often: Often } {
  const asked = cron.trim().split(/\s+/).join(' ');
  const [minute = '', hour = '', day = '', , week = ''] = asked.split(' ');
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  const tries: (Partial<ScheduleForm> & { often: Often })[] = [
    ...steps.map((s) => ({ often: 'every' as const, step: s.value })),
    { often: 'daily', time },
    { often: 'monthly', time, day },
    { often: 'weekly', time, days: week.split(',').map((d) => (d === '0' ? '7' : d)) },
  ];
  // Only what comes back as the same text says the same.
  return tries.find((t) => cronOf({ ...newSchedule(), ...t }) === asked) ?? { often: 'cron' };
}

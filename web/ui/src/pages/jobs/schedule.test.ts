import { describe, expect, it } from 'vitest';
import { cronOf, formOf, newSchedule, type ScheduleForm, scheduleOf, wrongSchedule } from './schedule';

const form = (part: Partial<ScheduleForm>): ScheduleForm => ({ ...newSchedule(), ...part });

describe('what is chosen', () => {
  it.each([
    [{ often: 'every', step: '1m' }, '* * * * *'],
    [{ often: 'every', step: '15m' }, '*/15 * * * *'],
    [{ often: 'every', step: '1h' }, '0 * * * *'],
    [{ often: 'every', step: '6h' }, '0 */6 * * *'],
    [{ often: 'daily', time: '02:05' }, '5 2 * * *'],
    [{ often: 'weekly', time: '23:30', days: ['1', '5'] }, '30 23 * * 1,5'],
    [{ often: 'weekly', time: '06:00', days: ['7', '6'] }, '0 6 * * 6,0'],
    [{ often: 'monthly', time: '00:00', day: '31' }, '0 0 31 * *'],
    [{ often: 'cron', cron: ' 0 2 * * MON-FRI ' }, '0 2 * * MON-FRI'],
  ] as [Partial<ScheduleForm>, string][])('%o is cron text', (part, cron) => {
    expect(cronOf(form(part))).toBe(cron);
  });

  it.each(['* * * * *', '*/20 * * * *', '0 */12 * * *', '30 4 * * *', '0 6 * * 1,2', '0 6 * * 6,0', '15 3 9 * *'])(
    '%s comes back from the fields as it was',
    (cron) => {
      const back = formOf({ kind: 'cron', cron, zone: 'Europe/Oslo', jitter_seconds: 600 });
      expect(back.often).not.toBe('cron');
      expect(scheduleOf(back)).toEqual({ kind: 'cron', cron, zone: 'Europe/Oslo', jitter_seconds: 600 });
    },
  );

  it.each(['*/7 * * * *', '0 2 1 1 *', '0 2 1 * 1', '@daily', '0,30 2 * * *', '0 2 * * MON'])(
    '%s, which the fields cannot say, stays cron text',
    (cron) => {
      const back = formOf({ kind: 'cron', cron, zone: 'device' });
      expect(back.often).toBe('cron');
      expect(scheduleOf(back)).toEqual({ kind: 'cron', cron, zone: 'device' });
    },
  );

  it('keeps a time, a start and an end to the minute', () => {
    const at = '2026-12-01T02:00:00.000Z';
    expect(scheduleOf(formOf({ kind: 'at', at }))).toEqual({ kind: 'at', at });
    const cron = { kind: 'cron', cron: '0 2 * * *', zone: 'hub', start: at, end: '2027-01-01T00:00:00.000Z' } as const;
    expect(scheduleOf(formOf(cron))).toEqual(cron);
    expect(scheduleOf(formOf({ kind: 'manual' }))).toEqual({ kind: 'manual' });
    expect(scheduleOf(formOf({ kind: 'now' }))).toEqual({ kind: 'now' });
  });
});

it('says what is missing, and sends nothing then', () => {
  for (const [part, field] of [
    [{ time: '25:00' }, 'time'],
    [{ often: 'weekly', days: [] }, 'days'],
    [{ often: 'monthly', day: '32' }, 'day'],
    [{ often: 'once' }, 'at'],
    [{ often: 'cron', cron: ' ' }, 'cron'],
    [{ zone: '' }, 'zoneName'],
    [{ jitter: '-1' }, 'jitter'],
    [{ start: '2026-12-02T00:00', end: '2026-12-01T00:00' }, 'end'],
  ] as [Partial<ScheduleForm>, keyof ScheduleForm][]) {
    expect(Object.keys(wrongSchedule(form(part)))).toEqual([field]);
    expect(scheduleOf(form(part))).toBeUndefined();
  }
});

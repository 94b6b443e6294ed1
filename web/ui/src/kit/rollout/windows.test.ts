import { expect, test } from 'vitest';
import { formOfWindow, night, ruleWords, windowOf, windowWords, wrongWindow } from './windows';

test('windows are said in words', () => {
  expect(windowWords({ start: '0 2 * * 6,7', minutes: 120, zone: 'Europe/Oslo' })).toBe(
    'Sat and Sun from 02:00 for 2 h, Europe/Oslo',
  );
  expect(windowWords({ start: '30 22 * * *', minutes: 90 })).toBe(
    'each day from 22:30 for 1 h 30 min, by each device’s clock',
  );
  expect(windowWords({ start: '0 4 * * 1-5', minutes: 60 })).toContain('Mon to Fri from 04:00');
  expect(windowWords({ start: '*/15 * * * *', minutes: 5, zone: 'UTC' })).toBe('each 15 min for 5 min, UTC');
  expect(windowWords({ start: '0 */6 * * *', minutes: 10, zone: 'UTC' })).toBe('each 6 h for 10 min, UTC');
  expect(windowWords({ start: '*/7 * * * *', minutes: 5 })).toContain('when cron says */7');
  expect(windowWords({ start: '0 2 1 * *', minutes: 60 })).toContain('when cron says 0 2 1 * *');
});

test('what is chosen by days and a time is asked for as cron, and read back', () => {
  const f = { ...night(3), days: [6, 0], zone: ' Europe/Oslo ' };
  expect(windowOf(f)).toEqual({ start: '0 2 * * 0,6', minutes: 120, zone: 'Europe/Oslo' });
  expect(formOfWindow(windowOf(f), 3)).toEqual({ ...f, days: [0, 6], zone: 'Europe/Oslo' });
  expect(windowOf(formOfWindow({ start: '*/5 2 * * 1', minutes: 5 }, 0))).toEqual({ start: '*/5 2 * * 1', minutes: 5 });
});

test('what is wrong with a window is said', () => {
  expect(wrongWindow(night(0))).toBeUndefined();
  expect(wrongWindow({ ...night(0), at: '25:00' })).toContain('02:00');
  expect(wrongWindow({ ...night(0), minutes: '' })).toContain('how long');
  expect(wrongWindow({ ...night(0), minutes: 20_000 })).toContain('7 days');
  expect(wrongWindow({ ...night(0), cron: 'at night' })).toContain('five fields');
});

test('a change rule is said in a sentence', () => {
  expect(ruleWords({})).toBe('Devices change at any time.');
  expect(ruleWords({ approve: true })).toBe(
    'Devices change at any time, when somebody has approved the rollout, and fetch before.',
  );
  expect(ruleWords({ windows: [{ start: '0 2 * * *', minutes: 60, zone: 'UTC' }], fetch_late: true })).toBe(
    'Devices change each day from 02:00 for 1 h, UTC, and fetch only then.',
  );
});

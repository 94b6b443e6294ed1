import { expect, test } from 'vitest';
import { empty, spec, wrongWindows } from './form';

test('what is left empty is not asked for', () => {
  expect(spec({ ...empty, release: 'v1.3.0', steps: 'once' })).toEqual({ release: 'v1.3.0', plan: {} });
});

test('order, windows, limit and trial are asked for as they were typed', () => {
  const asked = spec({
    ...empty,
    release: 'v1.3.0',
    order: ' ring ',
    perGroup: 2,
    windows: '0 2 * * 6,7 for 2h\n\n30 22 * * *  for 90m',
    zone: 'Europe/Oslo',
    trial: 10,
  });
  expect(asked).toMatchObject({
    order_label: 'ring',
    trial_seconds: 600,
    windows: [
      { start: '0 2 * * 6,7', minutes: 120, zone: 'Europe/Oslo' },
      { start: '30 22 * * *', minutes: 90, zone: 'Europe/Oslo' },
    ],
    plan: { by_order: true, per_group: 2 },
  });
});

test('a line that is no window is named', () => {
  expect(wrongWindows('0 2 * * 6,7 for 2h')).toBeUndefined();
  expect(wrongWindows('0 2 * * 6,7 for 2h\nat night')).toContain('at night');
});

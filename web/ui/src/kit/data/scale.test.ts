import { expect, test } from 'vitest';
import { filled, scaleOf } from './scale';

test('a scale has round lines, few of them, and room for the highest bar', () => {
  for (const most of [1, 7, 12, 99, 100, 101, 4_321, 5_000_000, 9_999_999]) {
    const { top, lines } = scaleOf(most);
    expect(top).toBeGreaterThanOrEqual(most);
    expect(top).toBeLessThan(most * 2 + 1);
    expect(lines.length).toBeLessThanOrEqual(5);
    expect(lines.at(-1)).toBe(top);
  }
  expect(scaleOf(4_000_000).lines).toEqual([1e6, 2e6, 3e6, 4e6]);
  expect(scaleOf(0)).toEqual({ top: 1, lines: [] });
});

const empty = (at: string) => ({ at, n: 0 });

test('hours without anything have their room', () => {
  const steps = filled([{ at: '2026-11-22T03:00:00Z', n: 3 }], {
    from: Date.parse('2026-11-22T00:30:00Z'),
    to: Date.parse('2026-11-22T05:10:00Z'),
    seconds: 3600,
    empty,
  });
  expect(steps.map((s) => [s.at.slice(11, 16), s.n])).toEqual([
    ['01:00', 0],
    ['02:00', 0],
    ['03:00', 3],
    ['04:00', 0],
    ['05:00', 0],
  ]);
});

test('days begin where the hub says, and one of 23 hours is one day', () => {
  const days = ['2027-03-26T23:00:00Z', '2027-03-27T23:00:00Z', '2027-03-28T22:00:00Z'].map((at) => ({ at, n: 1 }));
  const steps = filled(days, {
    from: Date.parse('2027-03-25T23:00:00Z'),
    to: Date.parse('2027-03-29T20:00:00Z'),
    seconds: 86_400,
    empty,
  });
  expect(steps.map((s) => s.n)).toEqual([0, 1, 1, 1]);
});

import { expect, test } from 'vitest';
import { careful } from '../../../kit/rollout/plan';
import { night } from '../../../kit/rollout/windows';
import { applyRules, healthWords, noRules, rulesOf, rulesOnTop, sameRules, wrongRules } from './rules';

test('what is left as it is is not asked for', () => {
  expect(applyRules(noRules)).toEqual({});
  const there = rulesOf(
    {
      include: ['early'],
      exclude: [],
      plan: { batch: '2', on_failure: 'pause' },
      change: { windows: [{ start: '0 2 * * 6', minutes: 60 }], approve: true },
    },
    { watch_seconds: 90, stay: true },
  );
  expect(applyRules(there, there)).toEqual({});
  expect(applyRules({ ...there, approve: false }, there)).toEqual({
    change: { windows: [{ start: '0 2 * * 6', minutes: 60 }] },
  });
  expect(applyRules({ ...there, include: [], watch: '' }, there)).toEqual({ include: [], health: { stay: true } });
  expect(sameRules(there, { ...there, windows: [...there.windows] })).toBe(true);
});

test('a plan and windows are asked for as they were chosen, and an earlier plan can be given up', () => {
  const mine = { ...noRules, plan: { ...careful, soak: 0 }, windows: [night(0)] };
  expect(applyRules(mine)).toEqual({
    plan: { batch: '1', doubling: true, on_failure: 'pause' },
    change: { windows: [{ start: '0 2 * * *', minutes: 120 }] },
  });
  expect(applyRules(noRules, mine)).toEqual({ plan: {}, change: {} });
});

test('what two people changed apart is all kept, and mine counts where both did', () => {
  const theirs = { ...noRules, exclude: ['frozen'], approve: true, watch: 5 };
  const mine = { ...noRules, plan: careful, watch: 2 };
  expect(rulesOnTop(noRules, mine, theirs)).toEqual({
    ...noRules,
    exclude: ['frozen'],
    approve: true,
    plan: careful,
    watch: 2,
  });
});

test('what is wrong is said', () => {
  expect(wrongRules(noRules)).toEqual([]);
  const bad = {
    ...noRules,
    plan: { ...careful, batch: 'x' },
    windows: [{ ...night(0), at: '' }],
    include: ['a'],
    exclude: ['a'],
  };
  expect(wrongRules(bad)).toHaveLength(3);
});

test('when a version is good is said in words', () => {
  expect(healthWords({ ...noRules, watch: 2, retries: 3 })).toBe(
    'Good when it has run for 2 min. A version that fails gives way to the last good one. It is tried again 3 times.',
  );
  expect(healthWords({ ...noRules, stay: true })).toContain('stays as it is');
});

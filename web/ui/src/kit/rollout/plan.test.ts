import { expect, test } from 'vitest';
import { atOnce, batchesWords, careful, formOf, planOf, planWords, samePlan, wrongPlan } from './plan';

test('all at once asks for no plan', () => {
  expect(planOf({ ...atOnce, onFailure: 'roll-back-all' })).toEqual({});
  expect(formOf({})).toEqual(atOnce);
  expect(formOf({ on_failure: 'pause' })).toEqual(atOnce);
});

test('a plan that is read back says the same', () => {
  const canary = {
    ...careful,
    batch: '10 %',
    doubling: false,
    soak: 2.5,
    failures: '5%',
    success: 90,
    onFailure: 'roll-back-all',
    order: 'ring',
    values: 'canary, early',
    perGroup: 3,
  };
  expect(planOf(canary)).toEqual({
    batch: '10%',
    soak_seconds: 150,
    failures: '5%',
    success_percent: 90,
    on_failure: 'roll-back-all',
    per_group: 3,
    by_order: true,
    order: { label: 'ring', values: ['canary', 'early'] },
  });
  expect(samePlan(formOf(planOf(canary)), canary)).toBe(true);
  expect(samePlan(canary, careful)).toBe(false);
});

test('a plan is said in words', () => {
  expect(planWords(atOnce)).toBe('All devices at once; nothing is watched.');
  expect(planWords(careful)).toBe(
    'Batches that double, from 1 device. Each is watched for 15 min before the next begins. At the first failure: pause.',
  );
  expect(
    planWords({
      ...careful,
      batch: '10%',
      doubling: false,
      soak: 0,
      failures: '5%',
      onFailure: 'roll-back-all',
      order: 'ring',
      values: 'canary, early',
      perGroup: 2,
    }),
  ).toBe(
    'Batches of 10% of the devices, by ring: canary, then early, then the others, at most 2 of one group at once. When more than 5% of a batch fail: bring all back, and end.',
  );
  expect(planWords({ ...careful, batch: '', order: 'ring', onFailure: 'continue', soak: 0 })).toBe(
    'All devices of an order at once, by ring, the lowest first. Failures do not stop it.',
  );
});

test('what is wrong with a plan is said where it is', () => {
  expect(wrongPlan(careful)).toEqual({});
  expect(wrongPlan({ ...atOnce, batch: 'many' })).toEqual({});
  expect(Object.keys(wrongPlan({ ...careful, batch: 'many' }))).toEqual(['batch']);
  expect(Object.keys(wrongPlan({ ...careful, batch: '101%' }))).toEqual(['batch']);
  expect(Object.keys(wrongPlan({ ...careful, batch: '0' }))).toEqual(['batch']);
  expect(Object.keys(wrongPlan({ ...careful, batch: '' }))).toEqual(['batch']);
  expect(wrongPlan({ ...careful, batch: '', order: 'ring' })).toEqual({});
  expect(Object.keys(wrongPlan({ ...careful, failures: '-1', success: 101 }))).toEqual(['failures', 'success']);
});

test('batches are said by their sizes', () => {
  expect(batchesWords([])).toBe('no device to change');
  expect(batchesWords([1])).toBe('one batch of 1 device');
  expect(batchesWords([1, 2, 4])).toBe('3 batches, of 1, 2 and 4 devices');
  expect(batchesWords([100, 100, 100, 100, 100, 100, 100, 100, 100, 100], 500)).toBe(
    'batches of 100, 100, 100, 100, 100, 100, 100, 100, and 700 more devices in later ones',
  );
});

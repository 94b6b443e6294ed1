import { expect, test } from 'vitest';
import { moneyWords, sourceWords, spentWords } from './Estimate';

test('what a rollout was thought to cost stands beside what it has cost', () => {
  const data = { estimate: 2_000_000, estimated: 2, actual: 0, reported: 0 };
  expect(spentWords(data)).toBe('Estimated 2.0 MB for 2 devices; no device has said yet what it spent.');
  expect(spentWords({ ...data, actual: 1_900_000, reported: 1 })).toBe(
    'Estimated 2.0 MB for 2 devices; spent 1.9 MB, as 1 device says.',
  );
  expect(spentWords({ ...data, estimated: 0, actual: 5, reported: 2 })).toBe(
    'Not estimated; spent 5 B, as 2 devices say.',
  );
});

test('how well a size is known is said, with why', () => {
  const image = { image: 'a', bytes: 1 };
  expect(sourceWords({ ...image, source: 'registry' })).toBe('as its registry says');
  expect(sourceWords({ ...image, source: 'devices', why: 'it does not answer' })).toContain(
    'upper bound: it does not answer',
  );
  expect(moneyWords([{ currency: 'EUR', amount: '4.20' }])).toBe('4.20 EUR');
});

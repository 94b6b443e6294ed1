import { expect, test } from 'vitest';
import { amountOf, amountText, wrongAmount } from './amount';

test('amounts are read as people type them', () => {
  expect(amountOf('5 MB')).toBe(5_000_000);
  expect(amountOf('1,5gb')).toBe(1_500_000_000);
  expect(amountOf('500 000')).toBe(500_000);
  expect(amountOf('4 MiB')).toBe(4 * 1024 * 1024);
  for (const text of ['', 'five MB', '5 miles', '-5 MB', '1e9', '9e99 TB', 'NaN'])
    expect(amountOf(text)).toBeUndefined();
});

test('amounts are written as they are typed, to the byte', () => {
  expect(amountText(5_000_000)).toBe('5 MB');
  expect(amountText(1_250_000_000)).toBe('1.25 GB');
  expect(amountText(1_234_567)).toBe('1234.567 kB');
  expect(amountText(999)).toBe('999 B');
  expect(amountText(0)).toBe('');
  for (const n of [1, 999, 1000, 123_456, 123_456_789, 5e9 + 1]) expect(amountOf(amountText(n))).toBe(n);
});

test('what is no amount is refused with an example', () => {
  expect(wrongAmount('')).toBeUndefined();
  expect(wrongAmount('5 MB')).toBeUndefined();
  expect(wrongAmount('much')).toContain('5 MB');
});

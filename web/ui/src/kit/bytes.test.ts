import { expect, it } from 'vitest';
import { bytes, count } from './bytes';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1_250_000, '1.3 MB'],
  [999_960, '1.0 MB'],
  [123_456_789, '123 MB'],
  [undefined, '–'],
])('%s bytes are %s', (n, text) => {
  expect(bytes(n)).toBe(text);
});

it('puts words in one or many', () => {
  expect([count(1, 'device'), count(10000, 'device'), count(2, 'key', 'keys'), count(1234)]).toEqual([
    '1 device',
    '10,000 devices',
    '2 keys',
    '1,234',
  ]);
});

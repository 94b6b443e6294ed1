import { expect, it } from 'vitest';
import { expiryOf, listOf, wholeNumber } from './expiry';

const now = Date.UTC(2026, 10, 22, 10);

it('counts from now', () => {
  expect(expiryOf('24h', '', now)).toEqual({ expires: '2026-11-23T10:00:00.000Z' });
  expect(expiryOf('never', '', now)).toEqual({});
  expect(expiryOf('at', '2026-12-01T00:00:00Z', now)).toEqual({ expires: '2026-12-01T00:00:00.000Z' });
});

it.each(['', 'soon', '2026-11-22T09:59:00Z'])('does not take %j for a time to come', (at) => {
  expect(expiryOf('at', at, now)).toHaveProperty('wrong');
});

it('reads numbers and lists', () => {
  expect([wholeNumber(' 20 '), wholeNumber('')]).toEqual([{ n: 20 }, { n: 0 }]);
  expect(wholeNumber('-1')).toHaveProperty('wrong');
  expect(wholeNumber('1e9')).toHaveProperty('wrong');
  expect(listOf(' S-*, X1\n\n192.0.2.0/24 ')).toEqual(['S-*', 'X1', '192.0.2.0/24']);
});

import { expect, it } from 'vitest';
import { at, fromField, localField } from './times';

const times = ['2026-11-21T10:00:00Z', '2026-11-21T12:00:00Z', '2026-11-22T09:30:00Z'];

it.each([
  ['2026-11-21T09:59:59Z', -1],
  ['2026-11-21T10:00:00Z', 0],
  ['2026-11-21T11:00:00Z', 0],
  ['2026-11-21T13:00:00+01:00', 1],
  ['2027-01-01T00:00:00Z', 2],
])('knows which state was there at %s', (t, i) => expect(at(times, t)).toBe(i));

it('reads the field it writes', () => {
  expect(fromField(localField('2026-11-21T14:20:05Z'))).toBe('2026-11-21T14:20:05Z');
  expect(localField('rubbish')).toBe('');
  expect(localField(undefined)).toBe('');
  expect(fromField('')).toBeUndefined();
});

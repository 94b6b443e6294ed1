import { expect, it } from 'vitest';
import { pastedPosition, wrongDegrees } from './position';

it.each([
  ['59.91, 10.75', '59.91', '10.75'],
  ['59.91,10.75', '59.91', '10.75'],
  ['59.91 10.75', '59.91', '10.75'],
  ['geo:-33.45,-70.6483', '-33.45', '-70.6483'],
  ['33.45° S, 70.65° W', '-33.45', '-70.65'],
  ['10.75 E 59.91 N', '59.91', '10.75'],
])('reads %s', (text, lat, lon) => expect(pastedPosition(text)).toEqual({ lat, lon }));

it.each(['', '59.91', '95, 10', '59.91, 190', 'Oslo', '1,2,3'])('does not read %j', (text) =>
  expect(pastedPosition(text)).toBeUndefined(),
);

it('says which degrees cannot be', () => {
  expect(wrongDegrees('', 'lat')).toBeUndefined();
  expect(wrongDegrees('-90', 'lat')).toBeUndefined();
  expect(wrongDegrees('90.1', 'lat')).toContain('north');
  expect(wrongDegrees('59,91', 'lat')).toContain('north');
  expect(wrongDegrees('-180.5', 'lon')).toContain('east');
  expect(wrongDegrees('1e1', 'lon')).toContain('east');
});

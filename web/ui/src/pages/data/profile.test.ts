import { expect, test } from 'vitest';
import { anyWrong, linkOf, linkWords, profileFields, tariffOf, wrongField } from './profile';

const vessel = {
  settings: { ping: '1h' },
  link: {
    budget: { cycle_day: 15, zone: 'Europe/Oslo', soft: 4_000_000, hard: 5_000_000, floor: 21_600, daily_ping: true },
    contact: { windows: [{ start: '0 */6 * * *', seconds: 600 }], after: 'daily' },
    images: 'agent',
    connection: 'brief',
  },
  tariff: { price_per_mb: '4.20', currency: 'EUR', included: 1_000_000 },
};

test('a profile is typed, and read back as it was', () => {
  const fields = profileFields(vessel);
  expect(fields).toMatchObject({ soft: '4 MB', floor: '6h', windows: '0 */6 * * * for 10m', price: '4.20' });
  expect(anyWrong(fields)).toBe(false);
  expect(linkOf(fields)).toEqual(vessel.link);
  expect(tariffOf(fields)).toEqual(vessel.tariff);
  expect(linkOf(profileFields(undefined))).toBeUndefined();
  expect(tariffOf(profileFields(undefined))).toBeUndefined();
});

test('what is wrong is said at its field', () => {
  const none = profileFields(undefined);
  expect(wrongField('soft', { ...none, soft: '5 MB', hard: '4 MB' })).toContain('below the hard cap');
  expect(wrongField('reserve', { ...none, reserve: '1 MB' })).toContain('hard cap');
  expect(wrongField('reserve', { ...none, reserve: '5 MB', hard: '4 MB' })).toContain('a part of');
  expect(wrongField('cycle_day', { ...none, cycle_day: '32' })).toContain('1 to 31');
  expect(wrongField('floor', { ...none, floor: 'often' })).toContain('6h');
  expect(wrongField('windows', { ...none, windows: '? 0 2 * * * for ' })).toContain('not whole');
  expect(wrongField('price', { ...none, price: '4,20' })).toContain('4.20');
  expect(wrongField('currency', { ...none, price: '4.20' })).toContain('which');
  expect(wrongField('ping', { ...none, ping: 'push' })).toBeTruthy();
});

test('what a profile says of its link is said in words', () => {
  expect(linkWords(vessel).map(([name, words]) => `${name}: ${words}`)).toEqual([
    'Budget: saves from 4.0 MB on, never more than 5.0 MB',
    'Billing cycle: from day 15 of each month, Europe/Oslo',
    'At the hard cap: one ping a day',
    'Ping near it: each 6 h',
    'Contact: each 6 h for 10 min, by each device’s clock',
    'After the last pass: five minutes a day',
    'Images: by the agent: within budget and windows',
    'Connection: made for each contact',
    'Tariff: 4.20 EUR a megabyte, 1.0 MB included',
  ]);
  expect(linkWords({})).toEqual([]);
});

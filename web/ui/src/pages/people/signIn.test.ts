import { expect, it } from 'vitest';
import { fieldsOf, settingsOf, wrong } from './signIn';

it('takes hours for seconds, and gives back what it was given', () => {
  const now = { session_seconds: 5400, min_password: 14, second_factor: 'administrators' } as const;
  expect(fieldsOf(now).hours).toBe('1.5');
  expect(settingsOf(fieldsOf(now))).toEqual(now);
});

it('gives back a life that is no round number of hours', () => {
  for (const session_seconds of [900, 1000, 28801, 2591999]) {
    const now = { session_seconds, min_password: 12, second_factor: 'nobody' } as const;
    expect(settingsOf(fieldsOf(now)).session_seconds).toBe(session_seconds);
  }
});

it('says what the hub would refuse', () => {
  const good = { hours: '8', password: '12', factor: 'nobody' };
  expect(wrong(good)).toEqual({});
  expect(Object.keys(wrong({ ...good, hours: '0.2' }))).toEqual(['hours']);
  expect(Object.keys(wrong({ ...good, hours: '' }))).toEqual(['hours']);
  expect(Object.keys(wrong({ ...good, password: '8' }))).toEqual(['password']);
  expect(Object.keys(wrong({ ...good, password: '12.5' }))).toEqual(['password']);
});

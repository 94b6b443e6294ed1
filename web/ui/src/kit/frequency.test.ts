import { expect, it } from 'vitest';
import { everyInWords, secondsOf, wrongFrequency } from './frequency';

it.each([
  ['1m0s', 60],
  ['20m', 1200],
  ['1h30m', 5400],
  ['60s', 60],
  ['5', undefined],
  ['5 m', undefined],
  ['push', undefined],
])('reads %s', (text, seconds) => expect(secondsOf(text)).toBe(seconds));

it('says frequencies in words', () => {
  expect(everyInWords('1m0s', 'ping')).toBe('each 1 min');
  expect(everyInWords('push', 'snapshot')).toBe('when something changes');
  expect(everyInWords('push', 'command')).toBe('at once');
  expect(everyInWords('off', 'command')).toBe('only when a session begins');
  expect(everyInWords('off', 'ping')).toBe('off');
  expect(everyInWords(undefined, 'ping')).toBe('');
});

it('says what is wrong before the hub does', () => {
  expect(wrongFrequency('', 'ping')).toBeUndefined();
  expect(wrongFrequency('90s', 'ping')).toBeUndefined();
  expect(wrongFrequency('push', 'command')).toBeUndefined();
  expect(wrongFrequency('push', 'ping')).toContain('cannot be pushed');
  expect(wrongFrequency('each minute', 'ping')).toContain('duration');
  expect(wrongFrequency('0s', 'ping')).toContain('400 days');
  expect(wrongFrequency('9601h', 'snapshot')).toContain('400 days');
});

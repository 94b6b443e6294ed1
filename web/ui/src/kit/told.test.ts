import { expect, test } from 'vitest';
import { lookOf, stackStates } from './states';
import { fetched, told } from './told';

test('the end of a log is told from the sentence before it', () => {
  expect(told('web is not healthy (tried again in 10 s)\nerror: no database\nexit\n')).toEqual({
    sentence: 'web is not healthy (tried again in 10 s)',
    log: 'error: no database\nexit',
  });
  expect(told('the disk is full')).toEqual({ sentence: 'the disk is full', log: '' });
  expect(told()).toEqual({ sentence: '', log: '' });
});

test('how much was fetched is shown while it is fetched, and known', () => {
  expect(fetched({ state: 'fetching', done_bytes: 1, total_bytes: 3 })).toBe(33);
  expect(fetched({ state: 'fetching', total_bytes: 3 })).toBe(0);
  expect(fetched({ state: 'fetching', done_bytes: 9, total_bytes: 3 })).toBe(100);
  expect(fetched({ state: 'fetching', done_bytes: 9 })).toBeUndefined();
  expect(fetched({ state: 'running', done_bytes: 3, total_bytes: 3 })).toBeUndefined();
});

test('no two states in a bar have the same colour and shape', () => {
  const looks = stackStates.map((s) => lookOf('stack', s));
  for (const [i, a] of looks.entries()) {
    for (const b of looks.slice(i + 1)) expect(a.word).not.toBe(b.word);
  }
  expect(lookOf('stack', 'waiting-for-window').word).toBe('waits for its window');
  expect(lookOf('hold', 'held').color).not.toBe(lookOf('stack', 'running').color);
});

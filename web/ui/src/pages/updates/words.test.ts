import { expect, test } from 'vitest';
import { codeWord, over, summary } from './words';

test('what matters is said first', () => {
  expect(summary({ succeeded: 1200, waiting: 3, failed: 1 })).toBe('1 failed, 3 waiting, 1,200 succeeded');
  expect(summary({})).toBe('no device yet');
});

test('codes are said in words, and new ones as they are', () => {
  expect(codeWord('quiet')).toContain('joins when it comes');
  expect(codeWord('something-new')).toBe('something-new');
});

test('an update that is paused is not over', () => {
  expect([over('paused'), over('rolling-back'), over('failed'), over('done')]).toEqual([false, false, true, true]);
});

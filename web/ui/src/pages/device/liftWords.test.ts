import { expect, it } from 'vitest';
import { backWords } from './liftWords';

const lift = { extra: 5_000_000, spent: 3_000_000, hard: 20_000_000, silences: false };

it('says before a lift is taken back whether the device falls silent by it', () => {
  expect(backWords(lift, 'cam-1')).toBe(
    '5.0 MB were added to this cycle; 3.0 MB are spent. Without what was added the hard cap is 20.0 MB, and cam-1 goes on talking.',
  );
  const silent = { ...lift, spent: 21_000_000, silences: true, daily_ping: true };
  expect(backWords(silent, 'cam-1')).toMatch(/cam-1 is silent but for a ping a day once it has heard of it\.$/);
  expect(backWords({ ...silent, end: '2026-12-01T00:00:00Z' }, 'cam-1')).toMatch(/of it, until .*1 Dec 2026/);
});

import { expect, it } from 'vitest';
import type { JobRow } from './queries';
import { rowsOf } from './rows';
import { endWords, streamWords, tookWords } from './words';

it('says how long a run took and how it ended', () => {
  expect([undefined, 12, 1500, 65_000].map(tookWords)).toEqual(['–', '0.01 s', '1.5 s', '1 min 5 s']);
  expect(endWords({ state: 'done' })).toBe('code 0');
  expect(endWords({ state: 'failed', code: 3, attempt: 2 })).toBe('code 3, attempt 2');
  expect(endWords({ state: 'timed-out', code: 0, signal: 'SIGKILL' })).toBe('signal SIGKILL');
  expect(endWords({ state: 'refused', code: 0, text: 'no interpreter' })).toBe('no interpreter');
});

it('says where the output of a run is', () => {
  const stream = { size: 2_000_000, kept: 1_000_000, have_from: 1_990_000, have_to: 2_000_000 };
  expect(streamWords({ size: 0, kept: 0, have_from: 0, have_to: 0 })).toBe('It wrote nothing.');
  expect(streamWords({ size: 5, kept: 5, have_from: 0, have_to: 5 })).toBe('All of it is here.');
  expect(streamWords(stream)).toBe('The last 10.0 kB of 2.0 MB are here. The device keeps the last 1.0 MB.');
  expect(streamWords({ ...stream, coming: true })).toMatch(/on its way/);
  expect(streamWords({ ...stream, lost: true })).toMatch(/dropped/);
  expect(streamWords({ ...stream, have_to: 1_990_000 })).toBe(
    'Of 2.0 MB none is here. The device keeps the last 1.0 MB.',
  );
});

it('lists what fails first, and what is asked for', () => {
  const job = (name: string, failed: number) => ({ name, words: 'every day', last: { failed } }) as JobRow;
  const all = [job('a', 0), job('c', 2), job('b', 1)];
  expect(rowsOf(all, {}).map((j) => j.name)).toEqual(['b', 'c', 'a']);
  expect(rowsOf(all, { failing: true }).map((j) => j.name)).toEqual(['b', 'c']);
  expect(rowsOf(all, { q: 'DAY a' }).map((j) => j.name)).toEqual(
    ['b', 'c', 'a'].filter((n) => `${n} every day`.includes('a')),
  );
});

import { expect, test } from 'vitest';
import { reachWords, versionWords } from './words';

test('what a stack is meant for is said in words', () => {
  const all = { selector: '', group: '', include: [], exclude: [] };
  expect(reachWords(all)).toBe('All devices');
  expect(reachWords({ ...all, exclude: ['frozen'] })).toBe('All devices, but none of edge group frozen');
  expect(reachWords({ ...all, group: 'plants/oslo', selector: 'line=packing' })).toBe(
    'Devices in plants/oslo, with line=packing',
  );
  expect(reachWords({ ...all, include: ['early', 'canaries'], exclude: ['frozen'], unseen_edge_groups: 2 })).toBe(
    'Devices of edge group early or canaries, by 2 edge groups that you do not see, but none of edge group frozen',
  );
});

test('the newest version and the one that devices have are told apart', () => {
  expect(versionWords({ version: 3, deployed: 3 })).toBe('version 3');
  expect(versionWords({ version: 3, deployed: 2 })).toBe('version 3 is the newest, 2 is deployed');
  expect(versionWords({ version: 1 })).toBe('version 1 has not reached all devices yet');
});

import { expect, it } from 'vitest';
import { effective, type Group, labelsOf, lineage, rows } from './tree';

const group = (path: string, more: Partial<Group> = {}): Group => ({
  path,
  devices: 0,
  devices_below: 0,
  states: {},
  etag: path,
  ...more,
});

const groups = [
  group('', { settings: { ping: '5m' }, labels: { owner: 'us', site: 'none' } }),
  group('ships', { profile: 'satellite' }),
  group('ships/aurora', { settings: { ping: '10m' }, labels: { site: 'aurora' } }),
  group('plants', { profile: 'lan' }),
  group('plants/b'),
  group('plants/a'),
];
const profiles = [
  { name: 'satellite', built_in: true, etag: '', settings: { ping: '20m', snapshot: '1h' } },
  { name: 'lan', built_in: true, etag: '', settings: { command: 'push' } },
];

it('goes up to the root', () => {
  expect(lineage('a/b/c')).toEqual(['a/b/c', 'a/b', 'a', '']);
  expect(lineage('')).toEqual(['']);
});

it('lists the tree, and not what is folded', () => {
  const paths = (folded: string[]) => rows(groups, new Set(folded)).map((n) => `${n.level} ${n.group.path}`);
  expect(paths([])).toEqual(['1 ', '2 plants', '3 plants/a', '3 plants/b', '2 ships', '3 ships/aurora']);
  expect(paths(['plants'])).toEqual(['1 ', '2 plants', '2 ships', '3 ships/aurora']);
  expect(paths([''])).toEqual(['1 ']);
});

it('takes the nearest setting, and a profile before what is further up', () => {
  expect(effective('ships/aurora', groups, profiles)).toEqual({
    ping: { value: '10m', group: 'ships/aurora' },
    profile: { value: 'satellite', group: 'ships' },
    snapshot: { value: '1h', group: 'ships', profile: 'satellite' },
  });
  expect(effective('plants/a', groups, profiles).ping).toEqual({ value: '5m', group: '' });
});

it('says which group gives a label', () => {
  expect(labelsOf('ships/aurora', groups)).toEqual([
    ['owner', { value: 'us', group: '' }],
    ['site', { value: 'aurora', group: 'ships/aurora' }],
  ]);
});

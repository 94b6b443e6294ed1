import { expect, it } from 'vitest';
import { type Group, rows } from './tree';

const group = (path: string): Group => ({
  path,
  devices: 0,
  devices_below: 0,
  states: {},
  etag: path,
});

const groups = ['', 'ships', 'ships/aurora', 'plants', 'plants/b', 'plants/a'].map(group);

it('lists the tree, and not what is folded', () => {
  const paths = (folded: string[]) => rows(groups, new Set(folded)).map((n) => `${n.level} ${n.group.path}`);
  expect(paths([])).toEqual(['1 ', '2 plants', '3 plants/a', '3 plants/b', '2 ships', '3 ships/aurora']);
  expect(paths(['plants'])).toEqual(['1 ', '2 plants', '2 ships', '3 ships/aurora']);
  expect(paths([''])).toEqual(['1 ']);
});

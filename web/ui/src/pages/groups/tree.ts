import type { Schemas } from '../../api/client';
import { above } from '../../kit/inherit';

export type Group = Schemas['Group'];

/** titleOf names a group for people. */
export function titleOf(path: string): string {
  return path === '' ? 'All devices' : path;
}

/** Node is a row of the tree. */
export interface Node {
  group: Group;
  level: number;
  parent: boolean;
}

/** rows gives the groups in the order of the tree, without those below a folded one. */
export function rows(groups: readonly Group[], folded: ReadonlySet<string>): Node[] {
  const below = new Map<string, Group[]>();
  for (const g of groups) {
    const up = above(g.path);
    if (up !== undefined) below.set(up, [...(below.get(up) ?? []), g]);
  }
  const out: Node[] = [];
  const walk = (group: Group, level: number) => {
    const children = (below.get(group.path) ?? []).sort((a, b) => a.path.localeCompare(b.path));
    out.push({ group, level, parent: children.length > 0 });
    if (!folded.has(group.path)) for (const c of children) walk(c, level + 1);
  };
  const root = groups.find((g) => g.path === '');
  if (root) walk(root, 1);
  return out;
}

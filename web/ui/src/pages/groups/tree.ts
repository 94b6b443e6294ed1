import type { Schemas } from '../../api/client';
import { type SettingsField, settingFields } from '../../kit/settings';

export type Group = Schemas['Group'];
type Profile = Schemas['Profile'];

/** above gives the path of the group above; undefined: it is the root. */
export function above(path: string): string | undefined {
  return path === '' ? undefined : path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** lineage gives a group's path and those above it, the nearest first. */
export function lineage(path: string): string[] {
  const out: string[] = [];
  for (let p: string | undefined = path; p !== undefined; p = above(p)) out.push(p);
  return out;
}

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

/** Source is where a value comes from: a group, by itself or by the profile that it names. */
export interface Source {
  value: string | number;
  group: string;
  profile?: string;
}

/**
 * effective gives the settings that hold for devices of a group which say nothing themselves: of each group upward its
 * own, then those of the profile that it names, of which only the nearest counts. What is missing is the hub's default.
 */
export function effective(
  path: string,
  groups: readonly Group[],
  profiles: readonly Profile[],
): Partial<Record<SettingsField | 'profile', Source>> {
  const out: Partial<Record<SettingsField | 'profile', Source>> = {};
  for (const at of lineage(path)) {
    const g = groups.find((x) => x.path === at);
    if (!g) continue;
    for (const f of settingFields) {
      const value = g.settings?.[f];
      if (value) out[f] ??= { value, group: at };
    }
    if (!g.profile || out.profile) continue;
    out.profile = { value: g.profile, group: at };
    const settings = profiles.find((p) => p.name === g.profile)?.settings;
    for (const f of settingFields) {
      const value = settings?.[f];
      if (value) out[f] ??= { value, group: at, profile: g.profile };
    }
  }
  return out;
}

/** labelsOf gives the labels that devices of a group have from it and those above, with the group that gives each. */
export function labelsOf(path: string, groups: readonly Group[]): [string, Source][] {
  const out = new Map<string, Source>();
  for (const at of lineage(path)) {
    for (const [k, value] of Object.entries(groups.find((g) => g.path === at)?.labels ?? {})) {
      if (!out.has(k)) out.set(k, { value, group: at });
    }
  }
  return [...out].sort(([a], [b]) => a.localeCompare(b));
}

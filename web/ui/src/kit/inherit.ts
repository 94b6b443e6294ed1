import type { Schemas } from '../api/client';
import { inWords, type SettingsField, settingFields } from './settings';

type Group = Schemas['Group'];
type Profile = Pick<Schemas['Profile'], 'name' | 'settings'>;

/** What devices inherit from. */
export interface Sources {
  groups: readonly Group[];
  profiles: readonly Pick<Profile, 'name' | 'settings'>[];
}

/** Where something stands, saved or as it is being typed: a group, and the link profile that a device itself names. */
export interface Place {
  group: string;
  profile?: string;
}

/** Source is where a value comes from: a group or the device, by itself or by the profile that it names. */
export interface Source {
  value: string | number;
  /** undefined: the device. */
  group?: string;
  profile?: string;
}

export type Effective = Partial<Record<SettingsField | 'profile', Source>>;

/** above gives the path of the group above; undefined: it is the root. */
export function above(path: string): string | undefined {
  return path === '' ? undefined : path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** lineage gives a group's path and those above it, the nearest first; the last is '', the root. */
export function lineage(path: string): string[] {
  const out: string[] = [];
  for (let p: string | undefined = path; p !== undefined; p = above(p)) out.push(p);
  return out;
}

/**
 * effective gives what holds at a place, but for the settings of the device itself: the profile that the device names,
 * then of each group upward its own settings and those of the profile that it names. Of all profiles only the nearest
 * counts. What is missing is the hub's default.
 */
export function effective(place: Place, { groups, profiles }: Sources): Effective {
  const out: Effective = {};
  const take = (settings: Schemas['Settings'] | undefined, from: Omit<Source, 'value'>) => {
    for (const f of settingFields) {
      const value = settings?.[f];
      if (value) out[f] ??= { value, ...from };
    }
  };
  const takeProfile = (name: string | undefined, of: Omit<Source, 'value'>) => {
    if (!name || out.profile) return;
    out.profile = { value: name, ...of };
    take(profiles.find((p) => p.name === name)?.settings, { ...of, profile: name });
  };
  takeProfile(place.profile, {});
  for (const group of lineage(place.group)) {
    const g = groups.find((x) => x.path === group);
    take(g?.settings, { group });
    takeProfile(g?.profile, { group });
  }
  return out;
}

/** labelsOf gives the labels that devices of a group have from it and those above, by the nearest that gives each. */
export function labelsOf(path: string, groups: readonly Group[]): Map<string, Source> {
  const out = new Map<string, Source>();
  for (const group of lineage(path)) {
    for (const [k, value] of Object.entries(groups.find((g) => g.path === group)?.labels ?? {})) {
      if (!out.has(k)) out.set(k, { value, group });
    }
  }
  return out;
}

/** inheritedWords says for each setting what is inherited, such as "each 20 min, profile satellite of group ships". */
export function inheritedWords(found: Effective, hub: Schemas['Settings'] = {}): Record<SettingsField, string> {
  const words = (f: SettingsField) => {
    const hit = found[f];
    if (hit) return `${inWords(f, hit.value)}, ${sourceWords(hit)}`;
    return [inWords(f, hub[f]), 'the hub’s default'].filter(Boolean).join(', ');
  };
  return Object.fromEntries(settingFields.map((f) => [f, words(f)])) as Record<SettingsField, string>;
}

/** inheritedProfile names the link profile that is inherited for a field of it: "inherited: satellite, group ships". */
export function inheritedProfile({ profile }: Effective): string {
  return profile ? `inherited: ${profile.value}, ${sourceWords(profile)}` : 'inherited: none';
}

/** sourceWords says where a value comes from. */
export function sourceWords({ group, profile }: Omit<Source, 'value'>): string {
  const of = group === undefined ? 'this device' : group === '' ? 'all devices' : `group ${group}`;
  return profile ? `profile ${profile} of ${of}` : of;
}

/** originWords says where a setting comes from, of what the hub says in EffectiveSettings.from. */
export function originWords(from: string | undefined): string {
  if (!from || from === 'hub default') return 'the hub’s default';
  if (from === 'device') return 'set for this device';
  const [, profile, of = from] = /^profile (.+?) \((.+)\)$/.exec(from) ?? [];
  if (of === 'device') return sourceWords({ profile });
  return sourceWords({ group: of.replace(/^group \/?/, ''), profile });
}

import type { Schemas } from '../../api/client';
import { inWords, type SettingsField, settingFields } from '../../kit/settings';
import type { Detail } from './queries';

type Group = Schemas['Group'];
type Profile = Schemas['Profile'];

/** What devices inherit from. */
export interface Sources {
  groups: readonly Group[];
  profiles: readonly Profile[];
}

/** Where a device stands, saved or as it is being typed. */
export interface Place {
  group: string;
  profile: string;
}

/** upward gives a group's path and those above it, the nearest first; the last is '', the root. */
export function upward(path: string): string[] {
  const out: string[] = [];
  for (let p = path; p !== ''; p = p.includes('/') ? p.slice(0, p.lastIndexOf('/')) : '') out.push(p);
  return [...out, ''];
}

/** originWords says where a setting comes from, of what the hub says in EffectiveSettings.from. */
export function originWords(from: string | undefined): string {
  if (!from || from === 'hub default') return 'the hub’s default';
  if (from === 'device') return 'set for this device';
  const profile = /^profile (.+?) \((.+)\)$/.exec(from);
  if (profile)
    return `profile ${profile[1]} of ${profile[2] === 'device' ? 'this device' : placeWords(profile[2] ?? '')}`;
  return placeWords(from);
}

function placeWords(place: string): string {
  return place === 'group /' ? 'all devices' : place;
}

/**
 * inherited says for each setting what a device would go by if it had none of its own, such as "each 20 min, profile
 * satellite of group ships". The hub's rules: own profile first, then each group upward with its profile behind it; only
 * the nearest profile counts.
 */
export function inherited(device: Detail, place: Place, sources: Sources): Record<SettingsField, string> {
  const found: Partial<Record<SettingsField, { value: string | number; from: string }>> = {};
  let named = false;
  const take = (settings: Schemas['Settings'] | undefined, from: string) => {
    for (const f of settingFields) {
      const value = settings?.[f];
      if (value && !found[f]) found[f] = { value, from };
    }
  };
  const takeProfile = (name: string | undefined, of: string) => {
    if (!name || named) return;
    named = true;
    take(sources.profiles.find((p) => p.name === name)?.settings, `profile ${name} (${of})`);
  };
  takeProfile(place.profile, 'device');
  for (const path of upward(place.group)) {
    const g = sources.groups.find((x) => x.path === path);
    take(g?.settings, `group ${path || '/'}`);
    takeProfile(g?.profile, `group ${path || '/'}`);
  }
  const { settings, from } = device.effective;
  return Object.fromEntries(
    settingFields.map((f) => {
      const hit =
        found[f] ?? (from[f] === 'hub default' ? { value: settings[f] ?? '', from: 'hub default' } : undefined);
      return [f, hit ? `${inWords(f, hit.value)}, ${originWords(hit.from)}` : 'the hub’s default'];
    }),
  ) as Record<SettingsField, string>;
}

/** inheritedLabels gives the labels that a device has from its groups, with the group that gives each. */
export function inheritedLabels(group: string, groups: readonly Group[]): Map<string, { value: string; from: string }> {
  const out = new Map<string, { value: string; from: string }>();
  for (const path of upward(group)) {
    const labels = groups.find((g) => g.path === path)?.labels ?? {};
    for (const [k, value] of Object.entries(labels)) if (!out.has(k)) out.set(k, { value, from: path });
  }
  return out;
}

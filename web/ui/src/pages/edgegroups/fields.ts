import type { Fields } from '../../kit/merge';
import type { EdgeGroup } from './queries';

/** What the fields of an edge group are called. */
export const names = {
  description: 'What it is for',
  group: 'Home group',
  selector: 'Selector',
  devices: 'Listed devices',
};

/** fieldsOf gives what can be edited of an edge group; listed devices by id, apart by lines. */
export const fieldsOf = (g: Pick<EdgeGroup, 'description' | 'group' | 'selector' | 'devices'>): Fields => ({
  description: g.description ?? '',
  group: g.group,
  selector: g.selector ?? '',
  devices: (g.devices ?? []).join('\n'),
});

/** listed gives the devices of the field. */
export const listed = (fields: Fields): string[] => (fields.devices ?? '').split('\n').filter((id) => id !== '');

/** bodyOf is what the hub is sent. */
export const bodyOf = (fields: Fields) => ({
  description: (fields.description ?? '').trim(),
  group: homeOf(fields.group),
  selector: (fields.selector ?? '').trim(),
  devices: listed(fields),
});

/** homeOf gives the path that was typed, without what people put around it. */
export const homeOf = (path: string | undefined): string => (path ?? '').trim().replace(/^\/+|\/+$/g, '');

/** wrongName says what is wrong with a name. */
export function wrongName(name: string): string | undefined {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)
    ? undefined
    : 'Use a-z, 0-9, . _ and -, beginning with a letter or digit, such as canaries.';
}

/** why says how a device came into an edge group. */
export function why(m: { listed: boolean; selected: boolean; reason?: string }): string {
  if (m.reason) return `not in it: ${m.reason}`;
  if (m.listed && m.selected) return 'listed and selected';
  return m.listed ? 'listed' : 'selected';
}

import type { Schemas } from '../../api/client';
import { labelText, parseLabels } from '../../kit/labels';
import { type Fields, onTop } from '../../kit/merge';
import { wrongGroup } from '../../kit/PlaceFields';
import { type SettingsField, settingFields, settingNames, settingsText, wrongSetting } from '../../kit/settings';
import { latLabel, lonLabel, wrongDegrees } from './position';
import type { Detail } from './queries';

type Patch = Schemas['DevicePatch'];
type Values = Record<string, string>;

/** What the fields are called. */
export const fieldNames: Fields = {
  name: 'Name',
  group: 'Group',
  profile: 'Link profile',
  labels: 'Own labels',
  lat: 'Latitude',
  lon: 'Longitude',
  ...settingNames,
};

/** fieldsOf gives what can be edited of a device, as it is typed. */
export function fieldsOf(d: Detail): Values {
  const { [latLabel]: lat = '', [lonLabel]: lon = '', ...labels } = d.own_labels ?? {};
  return {
    name: d.name,
    group: d.group,
    profile: d.profile ?? '',
    labels: labelText(labels),
    lat,
    lon,
    ...settingsText(d.own_settings),
  };
}

/** wrong says beside each field what is wrong with it. */
export function wrong(v: Fields): Partial<Values> {
  const get = (name: string) => (v[name] ?? '').trim();
  const labels = parseLabels(get('labels'));
  const half = (get('lat') === '') !== (get('lon') === '');
  const found: Record<string, string | undefined> = {
    name:
      get('name') === ''
        ? 'Give it a name.'
        : new TextEncoder().encode(get('name')).length > 128
          ? 'Use at most 128 characters.'
          : undefined,
    group: wrongGroup(get('group')),
    labels:
      'wrong' in labels
        ? labels.wrong
        : Object.keys(labels.labels).some((k) => k.startsWith('farshore.io/'))
          ? 'Labels below farshore.io/ are given by the hub; the position has fields of its own.'
          : undefined,
    lat: wrongDegrees(get('lat'), 'lat') ?? (half && get('lat') === '' ? 'Give both, or none.' : undefined),
    lon: wrongDegrees(get('lon'), 'lon') ?? (half && get('lon') === '' ? 'Give both, or none.' : undefined),
  };
  for (const f of settingFields) found[f] = wrongSetting(f, get(f));
  return Object.fromEntries(Object.entries(found).filter(([, w]) => w !== undefined)) as Partial<Values>;
}

/** changedFields lists the fields that differ. */
export function changedFields(from: Fields, to: Fields): string[] {
  return Object.keys(fieldNames).filter((f) => (from[f] ?? '').trim() !== (to[f] ?? '').trim());
}

/** patchOf makes of two sets of fields the change that leads from one to the other. */
export function patchOf(from: Fields, to: Fields): Patch {
  const patch: Patch = {};
  const settings: Record<string, string | number> = {};
  for (const f of changedFields(from, to)) {
    const text = (to[f] ?? '').trim();
    if (f === 'name' || f === 'group' || f === 'profile') patch[f] = text;
    else if (f in settingNames) {
      settings[f] = typeOf(f as SettingsField) === 'number' ? Number(text || 0) : text;
    }
  }
  const labels = labelChanges(from, to);
  if (Object.keys(labels).length > 0) patch.labels = labels;
  if (Object.keys(settings).length > 0) patch.settings = settings;
  return patch;
}

function typeOf(f: SettingsField): 'number' | 'text' {
  return f === 'chunk_bytes' || f === 'connect_timeout_seconds' || f === 'exchange_timeout_seconds' ? 'number' : 'text';
}

function labelsOf(v: Fields): Record<string, string> {
  const read = parseLabels(v.labels ?? '');
  const labels = 'labels' in read ? { ...read.labels } : {};
  const lat = (v.lat ?? '').trim();
  const lon = (v.lon ?? '').trim();
  if (lat) labels[latLabel] = lat;
  if (lon) labels[lonLabel] = lon;
  return labels;
}

function labelChanges(from: Fields, to: Fields): Record<string, string | null> {
  const was = labelsOf(from);
  const is = labelsOf(to);
  const out: Record<string, string | null> = {};
  for (const k of new Set([...Object.keys(was), ...Object.keys(is)])) {
    if (was[k] !== is[k]) out[k] = is[k] ?? null;
  }
  return out;
}

/** Draft is what somebody has typed and not saved, with what was there when they began. */
export interface Draft {
  base: Values;
  etag: string;
  mine: Values;
}

/** type puts a text into a field. undefined: nothing differs from what is saved any more. */
export function type(draft: Draft | undefined, device: Detail, fields: Fields): Draft | undefined {
  const from = draft ?? { base: fieldsOf(device), etag: device.etag, mine: fieldsOf(device) };
  const next = { ...from, mine: { ...from.mine, ...fields } };
  return changedFields(next.base, next.mine).length === 0 ? undefined : next;
}

/** against compares a draft with what another one has saved meanwhile: each field that either has changed. */
export function against(draft: Draft, theirs: Fields) {
  const mine = new Set(changedFields(draft.base, draft.mine));
  const others = new Set(changedFields(draft.base, theirs));
  const merged = onTop(draft.base as Fields, draft.mine, theirs);
  return Object.keys(fieldNames)
    .filter((f) => (mine.has(f) || others.has(f)) && merged[f] !== undefined)
    .map((f) => ({
      field: fieldNames[f] ?? f,
      theirs: theirs[f] ?? '',
      mine: mine.has(f) ? (draft.mine[f] ?? '') : '(you have not changed it: theirs stays)',
    }))
    .filter((d) => d.theirs !== d.mine);
}

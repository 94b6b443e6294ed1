import { expect, it } from 'vitest';
import { against, changedFields, fieldsOf, patchOf, type, wrong } from './form';
import type { Detail } from './queries';

const device = {
  name: 'pump-1',
  group: 'plants',
  etag: 'one',
  own_labels: { line: 'a', site: 'oslo', 'farshore.io/lat': '59.9', 'farshore.io/lon': '10.7' },
  own_settings: { ping: '20m0s', chunk_bytes: 4096 },
} as unknown as Detail;

it('shows what can be edited as it is typed', () => {
  expect(fieldsOf(device)).toMatchObject({
    name: 'pump-1',
    profile: '',
    labels: 'line=a, site=oslo',
    lat: '59.9',
    ping: '20m',
    chunk_bytes: '4096',
    snapshot: '',
  });
  expect(wrong(fieldsOf(device))).toEqual({});
});

it('sends what changed and nothing else', () => {
  const was = fieldsOf(device);
  expect(patchOf(was, { ...was })).toEqual({});
  expect(
    patchOf(was, {
      ...was,
      name: 'pump-2 ',
      labels: 'site=bergen, new=1',
      lat: '',
      lon: '',
      ping: '',
      chunk_bytes: '',
    }),
  ).toEqual({
    name: 'pump-2',
    labels: { line: null, site: 'bergen', new: '1', 'farshore.io/lat': null, 'farshore.io/lon': null },
    settings: { ping: '', chunk_bytes: 0 },
  });
  expect(patchOf(was, { ...was, connect_timeout_seconds: '60' })).toEqual({
    settings: { connect_timeout_seconds: 60 },
  });
});

it('goes back by the same change turned round', () => {
  const was = fieldsOf(device);
  const is = { ...was, labels: 'line=b', group: 'ships' };
  expect(patchOf(is, was)).toEqual({ group: 'plants', labels: { line: 'a', site: 'oslo' } });
});

it('says what is wrong beside the field', () => {
  const v = fieldsOf(device);
  expect(Object.keys(wrong({ ...v, name: ' ', group: 'a//b', labels: 'x', ping: 'push', lat: '' }))).toEqual([
    'name',
    'group',
    'labels',
    'lat',
    'ping',
  ]);
  expect(wrong({ ...v, labels: 'farshore.io/lat=1' })).toHaveProperty('labels');
});

it('keeps what is typed apart from what is read anew', () => {
  const draft = type(undefined, device, { name: 'mine' });
  expect(draft).toMatchObject({ etag: 'one', base: { name: 'pump-1' }, mine: { name: 'mine' } });
  expect(type(draft, { ...device, etag: 'two', name: 'theirs' }, { group: 'x' })).toMatchObject({
    etag: 'one',
    mine: { name: 'mine', group: 'x' },
  });
  expect(type(draft, device, { name: 'pump-1' })).toBeUndefined();
});

it('compares with what another one saved, field by field', () => {
  const draft = type(undefined, device, { name: 'mine', group: 'same' });
  if (!draft) throw new Error('nothing typed');
  const theirs = { ...fieldsOf(device), name: 'theirs', group: 'same', ping: '5m' };
  expect(changedFields(draft.base, draft.mine)).toEqual(['name', 'group']);
  expect(against(draft, theirs)).toEqual([
    { field: 'Name', theirs: 'theirs', mine: 'mine' },
    { field: 'Ping', theirs: '5m', mine: '(you have not changed it: theirs stays)' },
  ]);
});

import { expect, it } from 'vitest';
import { labelChange } from './labelChange';

it('reads labels to add and keys to remove', () => {
  expect(labelChange('site=oslo, line=', 'spare,\nold=1')).toEqual({
    labels: { site: 'oslo', line: '', spare: null, old: null },
  });
});

it('says at which field something is wrong', () => {
  expect(labelChange('site', '')).toMatchObject({ wrong: { add: expect.stringContaining('site') } });
  expect(labelChange('a=b', 'a')).toMatchObject({ wrong: { remove: expect.stringContaining('a') } });
  expect(labelChange('', 'ü')).toMatchObject({ wrong: { remove: expect.stringContaining('ü') } });
  expect(labelChange(' ', ' ')).toMatchObject({ wrong: { add: expect.any(String) } });
});

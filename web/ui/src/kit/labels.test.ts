import { expect, it } from 'vitest';
import { labelText, parseLabels } from './labels';

it('reads what it writes', () => {
  const labels = { site: 'oslo', 'farshore.io/lat': '59.9', line: '' };
  expect(parseLabels(labelText(labels))).toEqual({ labels });
  expect(parseLabels(' a=1 ,\n b=2,, ')).toEqual({ labels: { a: '1', b: '2' } });
});

it.each(['site', 'si te=oslo', 'site=o slo', '=x', `site=${'x'.repeat(64)}`])('says what is wrong with %j', (text) => {
  expect(parseLabels(text)).toHaveProperty('wrong');
});

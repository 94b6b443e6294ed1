import { expect, test } from 'vitest';
import {
  contactForm,
  contactOf,
  contactText,
  contactWords,
  formsText,
  newContact,
  windowsOf,
  wrongContact,
} from './contact';

const night = { start: '0 2 * * *', seconds: 600, zone: 'Europe/Oslo' };
const short = { start: '*/2 * * * *', seconds: 20 };

test('windows are typed, and read back', () => {
  for (const w of [night, short]) {
    expect(contactOf(contactForm(w, 0))).toEqual(w);
    expect(windowsOf(contactText([w]))).toEqual([w]);
  }
  expect(contactForm(night, 3)).toMatchObject({ id: 3, at: '02:00', long: '10m', zone: 'Europe/Oslo' });
  expect(contactText([night, short])).toBe('0 2 * * * for 10m in Europe/Oslo\n*/2 * * * * for 20s');
  expect(windowsOf('')).toEqual([]);
});

test('a window is said in words', () => {
  expect(contactWords(night)).toBe('each day from 02:00 for 10 min, Europe/Oslo');
  expect(contactWords(short)).toBe('each 2 min for 20 s, by each device’s clock');
});

test('what is wrong is said, and is no window', () => {
  expect(wrongContact(newContact(0))).toBeUndefined();
  expect(wrongContact({ ...newContact(0), long: '5s' })).toContain('10 s to 7 days');
  expect(wrongContact({ ...newContact(0), cron: 'often' })).toContain('five fields');
  expect(windowsOf(formsText([{ ...newContact(0), long: '' }]))).toBeUndefined();
});

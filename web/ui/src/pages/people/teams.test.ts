import { expect, it } from 'vitest';
import { bodyOf, fieldsOf, leads, type Team } from './teams';

const crew: Team = { name: 'crew', leaders: ['anna'], members: ['anna', 'bo'], note: 'ticket 7', etag: '1' };

it('gives back the team that it was given', () => {
  expect(bodyOf(fieldsOf(crew))).toEqual({ leaders: ['anna'], members: ['anna', 'bo'], note: 'ticket 7' });
});

it('can empty a team, and has nobody twice', () => {
  expect(bodyOf({ leaders: '', members: ' bo,bo  cy ', note: ' ' })).toEqual({
    leaders: [],
    members: ['bo', 'cy'],
    note: '',
  });
});

it('knows who leads', () => {
  expect(leads(crew, 'anna')).toBe(true);
  expect(leads(crew, 'bo')).toBe(false);
  expect(leads(crew, undefined)).toBe(false);
});

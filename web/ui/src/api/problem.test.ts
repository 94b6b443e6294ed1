import { describe, expect, it } from 'vitest';
import { asProblem, problemOf } from './problem';

describe('problemOf', () => {
  it('reads what the hub answers', () => {
    const p = problemOf(422, {
      title: 'Unprocessable Entity',
      detail: 'name: too long',
      code: 'invalid',
      errors: [{ location: 'body.name', message: 'too long', value: 'x' }, { location: 'body.labels.site' }],
    });
    expect(p.message).toBe('name: too long');
    expect(p.code).toBe('invalid');
    expect(p.field('name')).toBe('too long');
    expect(p.field('nam')).toBeUndefined();
    expect(p.fields).toHaveLength(1);
  });

  it.each([undefined, null, '<html>502</html>', [], { detail: 7, errors: 'x' }])('makes a sentence of %j', (body) => {
    const p = problemOf(502, body);
    expect(p.message).toContain('502');
    expect(p.fields).toEqual([]);
  });
});

it('shows what was thrown by others', () => {
  expect(asProblem(new Error('a fault')).message).toBe('a fault');
  expect(asProblem('a word').message).toBe('a word');
});

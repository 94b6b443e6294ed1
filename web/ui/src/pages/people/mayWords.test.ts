import { expect, it } from 'vitest';
import { mayWords } from './mayWords';

it('says in words what somebody may do, and shows what it has no words for', () => {
  expect(mayWords(['devices.read', 'stacks.apply', 'jobs.run'])).toBe('see devices, deploy stacks, jobs.run');
});

import type { Schemas } from '../../../api/client';

type Visibility = Schemas['Owner']['visibility'];

/** Whose a stack is, as it is chosen. visibility '': the hub says, which is for a new stack alone. */
export interface Owned {
  readonly visibility: Visibility | '';
  readonly account: string;
  readonly team: string;
}

/** ownedOf takes over what the hub says. */
export function ownedOf(o: Schemas['Owner']): Owned {
  return { visibility: o.visibility, account: o.account ?? '', team: o.team ?? '' };
}

/** ownerOf gives what the API takes; private without an account is the caller's. */
export function ownerOf(o: Owned): Schemas['Owner'] {
  return {
    visibility: o.visibility || 'administrators',
    ...(o.visibility === 'private' && o.account ? { account: o.account } : {}),
    ...(o.visibility === 'team' ? { team: o.team } : {}),
  };
}

/** sameOwner tells whether two are the same. */
export function sameOwner(a: Owned, b: Owned): boolean {
  return (
    a.visibility === b.visibility &&
    (a.visibility !== 'private' || a.account === b.account) &&
    (a.visibility !== 'team' || a.team === b.team)
  );
}

/** wrongOwner says what is missing. */
export function wrongOwner(o: Owned): string | undefined {
  return o.visibility === 'team' && o.team === '' ? 'Choose the team.' : undefined;
}

/** ownerWords says whose it is. */
export function ownerWords(o: Owned): string {
  switch (o.visibility) {
    case 'private':
      return o.account ? `${o.account}’s own` : 'private';
    case 'team':
      return `team ${o.team}`;
    case 'public':
      return 'public';
    default:
      return 'administrators’';
  }
}

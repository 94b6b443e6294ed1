import type { Schemas } from '../../api/client';

type Reach = Pick<Schemas['Stack'], 'selector' | 'group' | 'include' | 'exclude'> & {
  unseen_edge_groups?: number | undefined;
};

const list = (names: readonly string[], word: string) =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;

/** reachWords says which devices a stack is meant for. */
export function reachWords(r: Reach): string {
  const parts: string[] = [];
  if (r.group) parts.push(`in ${r.group}`);
  if (r.selector) parts.push(`with ${r.selector}`);
  if (r.include.length > 0) parts.push(`of edge group ${list(r.include, 'or')}`);
  if (r.exclude.length > 0) parts.push(`not of edge group ${list(r.exclude, 'or')}`);
  const unseen = r.unseen_edge_groups ?? 0;
  if (unseen > 0) parts.push(`by ${unseen === 1 ? 'an edge group' : `${unseen} edge groups`} that you do not see`);
  return parts.length === 0 ? 'All devices' : `Devices ${parts.join(', ')}`;
}

/** versionWords says which version devices have, where that is not simply the newest. */
export function versionWords(s: Pick<Schemas['Stack'], 'version' | 'deployed'>): string {
  if (s.deployed === s.version) return `version ${s.version}`;
  return s.deployed
    ? `version ${s.version} is the newest, ${s.deployed} is deployed`
    : `version ${s.version} has not reached all devices yet`;
}

const codes: Record<string, string> = {
  quiet: 'not heard of now: joins when it comes',
  window: 'outside its change windows',
  approval: 'waits for approval',
  policy: 'a policy of its group forbids the stack',
  clash: 'another stack has a port or a name that this one wants',
  held: 'somebody at the device took the stack in hand',
  batch: 'in no batch yet',
  unconfirmed: 'gets no secrets: nobody has confirmed it by its pairing code',
  'agent-too-old': 'its agent is too old',
  'invalid-here': 'what it would be given is not valid there',
};

/** codeWords says why a device of a rollout does not change; a code that is not known as it is. */
export const codeWords = (code: string): string => codes[code] ?? code;

/** deployWords says what deploying a version means for devices. */
export function deployWords(s: Pick<Schemas['Stack'], 'deployed'>, version: number): string {
  if (s.deployed === version) return 'Apply this version again';
  return s.deployed && version < s.deployed ? 'Deploy this earlier version' : 'Deploy this version';
}

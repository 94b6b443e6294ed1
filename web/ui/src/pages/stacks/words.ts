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
  const unseen = r.unseen_edge_groups ?? 0;
  if (unseen > 0) parts.push(`by ${unseen === 1 ? 'an edge group' : `${unseen} edge groups`} that you do not see`);
  const some = parts.length === 0 ? 'All devices' : `Devices ${parts.join(', ')}`;
  return r.exclude.length > 0 ? `${some}, but none of edge group ${list(r.exclude, 'or')}` : some;
}

/** versionWords says which version devices have, where that is not simply the newest. */
export function versionWords(s: Pick<Schemas['Stack'], 'version' | 'deployed'>): string {
  if (s.deployed === s.version) return `version ${s.version}`;
  return s.deployed
    ? `version ${s.version} is the newest, ${s.deployed} is deployed`
    : `version ${s.version} has not reached all devices yet`;
}

const options: Record<string, string> = {
  pull: 'Images are asked of the registry',
  watch_seconds: 'Watched, in seconds',
  retries: 'Tried again',
  stay: 'Stays when it fails',
};

/** optionWords names an option of a version; one that is not known as it is. */
export const optionWords = (name: string): string => options[name] ?? name;

// What the operations of the audit trail are, for people. The word itself is shown beside.
const operations: Record<string, string> = {
  'session.login': 'signed in',
  'session.logout': 'signed out',
  'session.first-admin': 'made the first administrator',
  'devices.read': 'looked at devices',
  'devices.change': 'changed',
  'devices.revoke': 'revoked, replaced or removed',
  'groups.change': 'changed',
  'profiles.change': 'changed',
  'waiting.approve': 'approved',
  'waiting.reject': 'rejected, blocked or took that back',
  'keys.create': 'made',
  'keys.remove': 'removed',
  'stacks.apply': 'deployed',
  'stacks.remove': 'removed',
  'commands.give': 'gave a command to',
  'commands.withdraw': 'withdrew a command of',
  'tokens.create': 'made',
  'tokens.remove': 'removed',
};

/** operationWords says what was done. */
export function operationWords(operation: string): string {
  return operations[operation] ?? operation.replace('.', ': ');
}

/** Thing is what an entry of the trail is about. */
export interface Thing {
  kind: string;
  id: string;
}

/** thingOf reads the resource of an entry, such as "device qz3…". */
export function thingOf(resource: string | undefined): Thing | undefined {
  if (!resource) return undefined;
  const at = resource.indexOf(' ');
  return at < 0 ? { kind: resource, id: '' } : { kind: resource.slice(0, at), id: resource.slice(at + 1) };
}

const spans: Record<string, number> = { '1h': 3600, '24h': 86400, '7d': 7 * 86400, '30d': 30 * 86400 };

/** sinceTime gives the time in ms from which on to show; 0: all. */
export function sinceTime(since: string | undefined, now: number): number {
  const s = since ? spans[since] : undefined;
  return s ? now - s * 1000 : 0;
}

/** hasWords tells whether every word of q is in one of the texts. */
export function hasWords(q: string | undefined, ...texts: (string | undefined)[]): boolean {
  if (!q) return true;
  const all = texts.join('\n').toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((w) => all.includes(w));
}

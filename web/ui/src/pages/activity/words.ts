import type { AuditFilter } from './queries';

// What the operations of the audit trail are, for people. The word itself is shown beside.
const operations: Record<string, string> = {
  'session.login': 'signed in',
  'session.foreign-request': 'was made to send a request by another site',
  'session.logout': 'signed out',
  'session.first-admin': 'made the first administrator',
  'devices.read': 'looked at devices',
  'devices.change': 'changed',
  'devices.revoke': 'revoked, replaced or removed',
  'devices.lift': 'changed what was added to the caps of',
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
  'audit.export': 'exported the audit trail of',
  'audit.torn': 'closed a line that was cut short in the audit trail of',
  'audit.damaged': 'found damage in the audit trail of',
  'audit.dropped': 'removed old entries from the audit trail of',
  'audit.gap': 'could not write for a while into the audit trail of',
  'audit.summed-up': 'was refused more often than is kept one by one at',
  'hub.change': 'changed',
  'hub.certificate': 'changed the certificate of',
  'hub.protection': 'changed the protection of',
  'session.link': 'set the password by a link of',
  'session.password': 'changed the password of',
  'session.second-factor-on': 'turned on the second factor of',
  'session.second-factor-off': 'turned off the second factor of',
  'session.second-factor-begin': 'began to set up the second factor of',
  'session.recovery-codes': 'got new recovery codes for',
  'session.sessions-end': 'ended sessions of',
  'settings.access': 'changed how people sign in to',
  'people.create': 'added',
  'people.change': 'changed',
  'people.remove': 'removed',
  'people.link': 'made a link for',
  'people.second-factor-reset': 'took away the second factor of',
  'people.sessions-end': 'ended all sessions of',
  'teams.change': 'changed',
  'teams.member-add': 'put somebody into',
  'teams.member-remove': 'took somebody out of',
  'teams.remove': 'removed',
  'access.grant': 'granted a role on',
  'access.revoke': 'took back a role on',
  'policy.change': 'changed what is forbidden:',
  'variables.change': 'set or removed',
  'registries.change': 'changed',
  'registries.check': 'had checked',
  'releases.change': 'added or removed',
  'updates.start': 'started',
  'updates.pause': 'paused',
  'updates.continue': 'let go on',
  'updates.abort': 'ended',
  'updates.skip': 'skipped a batch of',
  'updates.retry': 'tried again what failed of',
  'commands.look': 'asked for a look at',
  'commands.remove': 'had something removed on',
  'backup.make': 'took a backup of',
  'backup.run': 'had a backup made of',
  'backup.plan': 'planned the backups of',
  'audit.test': 'tested',
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

const spans: Record<string, string> = { '1h': '1h', '24h': '24h', '7d': '168h', '30d': '720h' };

/** sinceHours says how far back to look as the hub reads it; undefined: all. */
export const sinceHours = (since: string | undefined): string | undefined => (since ? spans[since] : undefined);

interface Search {
  q?: string;
  result?: 'done' | 'refused' | 'failed';
  since?: string;
  who?: string;
  op?: string;
  on?: string;
  group?: string;
  glass?: boolean;
}

/** trailFilter makes of the address what the hub is asked for. */
export function trailFilter(s: Search): AuditFilter {
  const from = sinceHours(s.since);
  return {
    ...(s.q && { q: s.q }),
    ...(s.result && { result: s.result }),
    ...(from && { from }),
    ...(s.who && { principal: s.who }),
    ...(s.op && { operation: s.op }),
    ...(s.on && { resource: s.on }),
    ...(s.group && { group: s.group }),
    ...(s.glass && { break_glass: true }),
  };
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

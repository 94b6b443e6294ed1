import type { Device } from './queries';

/** labelList gives labels as key=value, by key; facts (farshore.io/…) are left out. */
export function labelList(labels: Device['labels']): string[] {
  return Object.entries(labels)
    .filter(([k]) => !k.startsWith('farshore.io/'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${v}`);
}

/** foundText says where a search found a device, beyond its name. */
export function foundText(found: Device['found_in']): string {
  return (found ?? [])
    .filter((f) => f.kind !== 'name')
    .map((f) => `${f.kind} ${f.text}`)
    .join(' · ');
}

/** troubleText says what is wrong with a device in few words; '': nothing is. */
export function troubleText(d: Pick<Device, 'liveness' | 'stacks' | 'containers'>): string {
  const out: string[] = [];
  if (d.stacks.failed > 0) out.push(`${d.stacks.failed} of ${d.stacks.all} stacks failed`);
  const stopped = d.containers ? d.containers.all - d.containers.running : 0;
  if (stopped > 0) out.push(`${stopped} of ${d.containers?.all} containers not running`);
  return out.join(' · ');
}

/** restText says what is well on a device, where nothing is wrong. */
export function restText(d: Pick<Device, 'stacks' | 'containers'>): string {
  const out: string[] = [];
  if (d.containers) out.push(`${d.containers.running} containers running`);
  if (d.stacks.all > 0) out.push(`${d.stacks.ok} of ${d.stacks.all} stacks running`);
  return out.join(' · ') || 'no snapshot yet';
}

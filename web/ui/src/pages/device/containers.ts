import { imageOf } from './diff';
import type { Container, Snapshot } from './queries';

/** Section is the containers of one Compose project; '' are those without one. */
export interface Section {
  project: string;
  running: number;
  containers: Container[];
}

/** found gives the containers in which every word of the text is found, in their sections by project and name. */
export function found(s: Snapshot, text: string): Section[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const sections = new Map<string, Section>();
  const sorted = [...(s.containers ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  for (const c of sorted) {
    const labels = Object.entries(c.labels ?? {}).map(([k, v]) => `${k}=${v}`);
    const all = [c.name, c.id, c.state, c.health, imageOf(c, s), c.project, c.service, ...labels]
      .join('\n')
      .toLowerCase();
    if (!words.every((w) => all.includes(w))) continue;
    const project = c.project ?? '';
    const section = sections.get(project) ?? { project, running: 0, containers: [] };
    section.containers.push(c);
    if (c.state === 'running') section.running++;
    sections.set(project, section);
  }
  return [...sections.values()].sort((a, b) =>
    a.project === '' ? 1 : b.project === '' ? -1 : a.project.localeCompare(b.project),
  );
}

const object = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

/** targetOf is how a command names a container: by its name where that can be given, else by its id. */
export function targetOf(c: Container): string {
  return object.test(c.name) ? c.name : c.id;
}

/** usersOf gives the containers that use an image, by its place in the snapshot. */
export function usersOf(s: Snapshot, image: number): Container[] {
  return (s.containers ?? []).filter((c) => c.image_index === image + 1);
}

/** mountersOf gives the containers that have a volume mounted. */
export function mountersOf(s: Snapshot, volume: string): Container[] {
  return (s.containers ?? []).filter((c) =>
    c.mounts?.some((m) => (m.type ?? 'volume') === 'volume' && m.source === volume),
  );
}

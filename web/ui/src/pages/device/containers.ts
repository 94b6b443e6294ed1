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

/** Users are the containers that have something of a device, by what it is. */
export interface Users {
  /** By the image's place in the snapshot. */
  images: Map<number, Container[]>;
  /** By the volume's name. */
  volumes: Map<string, Container[]>;
  /** By the network's name. */
  networks: Map<string, Container[]>;
}

/** usersIn looks once through all containers of a snapshot. */
export function usersIn(s: Snapshot): Users {
  const users: Users = { images: new Map(), volumes: new Map(), networks: new Map() };
  for (const c of s.containers ?? []) {
    if (c.image_index) add(users.images, c.image_index - 1, c);
    for (const m of c.mounts ?? []) {
      if ((m.type ?? 'volume') === 'volume' && m.source) add(users.volumes, m.source, c);
    }
    for (const n of c.networks ?? []) {
      if (n.network) add(users.networks, n.network, c);
    }
  }
  return users;
}

function add<K>(to: Map<K, Container[]>, key: K, c: Container): void {
  const there = to.get(key);
  if (!there) to.set(key, [c]);
  else if (there.at(-1) !== c) there.push(c);
}

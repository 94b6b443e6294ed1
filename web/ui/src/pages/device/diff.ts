import { bytes } from '../../kit/bytes';
import { lookOf } from '../../kit/states';
import type { Container, Snapshot } from './queries';
import { shortId } from './words';

/** Change is one thing that differs between two states of a device. */
export interface Change {
  of: 'host' | 'engine' | 'container' | 'image' | 'volume' | 'network';
  kind: 'added' | 'removed' | 'changed';
  name: string;
  /** What differs, where it is changed: "running → stopped". */
  what?: string;
}

/** imageOf names the image of a container: as it was asked for, else by its tag or id. */
export function imageOf(c: Container, s: Snapshot): string {
  const image = s.images?.[c.image_index - 1];
  return c.image || image?.tags?.[0] || (image ? shortId(image.id) : '');
}

/** digestOf is the id of the image that a container runs; undefined: it is not on the device any more. */
export function digestOf(c: Container, s: Snapshot): string | undefined {
  return s.images?.[c.image_index - 1]?.id;
}

/** changes lists what became of a device between two of its states: what went wrong first, then by name. */
export function changes(was: Snapshot, is: Snapshot): Change[] {
  return [
    ...fields('host', was.host.name || is.host.name, [
      [was.host.booted, is.host.booted, 'started anew'],
      [was.host.kernel, is.host.kernel, 'kernel'],
      [was.host.os, is.host.os, 'OS'],
      [bytes(was.host.memory), bytes(is.host.memory), 'memory'],
      [was.host.cpus, is.host.cpus, 'CPUs'],
      [`${was.host.disk_used_percent} %`, `${is.host.disk_used_percent} %`, 'disk used'],
    ]),
    ...fields('engine', is.engine.kind || was.engine.kind, [
      [was.engine.state, is.engine.state, ''],
      [was.engine.version, is.engine.version, 'version'],
    ]),
    ...named('container', was.containers, is.containers, (a, b) => [
      [stateOf(a), stateOf(b), ''],
      [a.health, b.health, 'health'],
      [imageOf(a, was), imageOf(b, is), 'image'],
      [shortId(digestOf(a, was) ?? ''), shortId(digestOf(b, is) ?? ''), 'digest'],
      [a.id, b.id, 'made anew'],
      [a.restarts, b.restarts, 'restarts'],
      [a.started, b.started, a.id === b.id && a.restarts === b.restarts ? 'started again' : 'quiet'],
    ]),
    ...named('image', was.images?.map(namedImage), is.images?.map(namedImage), (a, b) => [
      [shortId(a.id), shortId(b.id), 'digest'],
    ]),
    ...named('volume', was.volumes, is.volumes, () => []),
    ...named('network', was.networks, is.networks, (a, b) => [[a.driver, b.driver, 'driver']]),
  ];
}

type Field = readonly [was: unknown, is: unknown, word: string];

// Words for what has no values that people read.
const events = new Set(['started anew', 'made anew', 'started again']);

function fields(of: Change['of'], name: string, list: readonly Field[]): Change[] {
  const what = list
    .filter(([a, b, word]) => (a ?? '') !== (b ?? '') && word !== 'quiet')
    .map(([a, b, word]) => (events.has(word) ? word : `${word ? `${word} ` : ''}${a || 'none'} → ${b || 'none'}`));
  return what.length > 0 ? [{ of, kind: 'changed', name, what: what.join(', ') }] : [];
}

function named<T extends { name: string }>(
  of: Change['of'],
  was: readonly T[] | null | undefined,
  is: readonly T[] | null | undefined,
  compare: (was: T, is: T) => readonly Field[],
): Change[] {
  const before = new Map((was ?? []).map((x) => [x.name, x]));
  const after = new Map((is ?? []).map((x) => [x.name, x]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort((a, b) => a.localeCompare(b))
    .flatMap((name): Change[] => {
      const a = before.get(name);
      const b = after.get(name);
      if (a && b) return fields(of, name, compare(a, b));
      return [{ of, kind: b ? 'added' : 'removed', name }];
    });
}

function stateOf(c: Container): string {
  const word = lookOf('container', c.state).word;
  return c.exit_code !== 0 && c.state !== 'running' ? `${word} (${c.exit_code})` : word;
}

function namedImage(i: NonNullable<Snapshot['images']>[number]) {
  return { id: i.id, name: i.tags?.[0] ?? shortId(i.id) };
}

import type { Schemas } from '../../api/client';
import { labelText } from '../../kit/labels';
import type { Waiter } from './decide';

/** matches tells whether every word is found somewhere in what a device is known by. */
export function matches(w: Waiter, key: Schemas['Key'] | undefined, q: string): boolean {
  const f = w.facts;
  const text = [
    w.pairing_code,
    w.pairing_code.replace('-', ''),
    w.id,
    f.name,
    f.hostname,
    f.serial,
    f.os,
    f.arch,
    f.engine,
    w.remote,
    labelText(w.wishes),
    key?.name,
    key?.group,
    ...(w.marks ?? []),
  ]
    .join('\n')
    .toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

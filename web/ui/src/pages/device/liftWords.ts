import type { Schemas } from '../../api/client';
import { bytes } from '../../kit/bytes';
import { dateOf, exact } from '../../kit/time';

/** backWords says what follows from taking back what was added to the caps of a device. */
export function backWords(d: Schemas['DroppedLift'], name: string): string {
  const first = `${bytes(d.extra)} were added to this cycle; ${bytes(d.spent)} are spent.`;
  if (!d.silences) {
    return `${first} Without what was added ${d.hard ? `the hard cap is ${bytes(d.hard)}, and ` : ''}${name} goes on talking.`;
  }
  const end = dateOf(d.end);
  const but = d.daily_ping ? 'silent but for a ping a day' : 'silent';
  return `${first} Without what was added the hard cap is ${bytes(d.hard)}: ${name} is ${but} once it has heard of it${end ? `, until ${exact(end)}` : ''}.`;
}

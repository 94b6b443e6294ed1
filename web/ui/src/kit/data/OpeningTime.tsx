import './data.css';
import { Text } from '@mantine/core';
import type { Schemas } from '../../api/client';
import { bytes } from '../bytes';
import { Since } from '../Since';
import { dateOf, moment, span } from '../time';

/** OpeningTime is one time of contact in a list of class da-times; zone is that of a device, where it is of one. */
export function OpeningTime({ start, end, bytes: fit, zone }: Schemas['Opening'] & { zone?: string }) {
  const [from, to] = [dateOf(start), dateOf(end)];
  if (!from) return null;
  const here = moment(from);
  const there = zone ? moment(from, zone) : here;
  return (
    <li>
      <b>
        <Since at={start} />
      </b>
      {to ? `, for ${span((to.getTime() - from.getTime()) / 1000)}` : ', and from then on'}
      {fit ? `, ${bytes(fit)} expected` : ''}
      <Text size="xs" c="dimmed">
        {here}
        {there !== here && `; there it is ${there}`}
      </Text>
    </li>
  );
}

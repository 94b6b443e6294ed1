import { Group, NativeSelect, Paper, Skeleton, Text } from '@mantine/core';
import { IconMinus, IconPencil, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Failure } from '../../kit/Failure';
import { exact } from '../../kit/time';
import { type Change, changes } from './diff';
import { usePlace } from './place';
import { type Detail, snapshotQuery } from './queries';

const looks = {
  added: { icon: IconPlus, color: 'green', word: 'added' },
  removed: { icon: IconMinus, color: 'red', word: 'removed' },
  changed: { icon: IconPencil, color: 'blue', word: 'changed' },
} as const;

const shown = 200;

/** Changes lists what became of the device between another time and the one that is looked at. */
export function Changes({ device, times }: { device: Detail; times: readonly string[] }) {
  const { search, go, asOf } = usePlace();
  const from = search.with;
  const was = useQuery(snapshotQuery(device.id, from));
  const is = useQuery(snapshotQuery(device.id, asOf));
  const list = was.data && is.data && changes(was.data.snapshot, is.data.snapshot);
  const name = (t: string) => exact(new Date(t));
  const known = [...times].reverse();
  if (from && !known.includes(from)) known.unshift(from);
  return (
    <Paper withBorder p="sm" mt="xs" component="section" aria-label="What changed">
      <Group gap="xs" mb="xs">
        <Text size="sm">From</Text>
        <NativeSelect
          size="xs"
          aria-label="Compare with"
          value={from}
          onChange={(e) => go({ with: e.currentTarget.value })}
          data={known.map((t) => ({ value: t, label: name(t) }))}
        />
        <Text size="sm">
          to <b>{asOf ? name(asOf) : 'now'}</b>
        </Text>
      </Group>
      <Failure error={was.error ?? is.error} />
      {!list && !was.error && !is.error && <Skeleton h={60} />}
      {list?.length === 0 && (
        <Text size="sm" c="dimmed">
          Machine, containers, images, volumes and networks were the same.
        </Text>
      )}
      {list && list.length > 0 && (
        <ul className="fs-changes">
          {list.slice(0, shown).map((c) => (
            <Row key={`${c.of} ${c.name}`} change={c} />
          ))}
        </ul>
      )}
      {list && list.length > shown && (
        <Text size="sm" c="dimmed">
          And {list.length - shown} more: choose times that are nearer to each other.
        </Text>
      )}
    </Paper>
  );
}

function Row({ change: c }: { change: Change }) {
  const look = looks[c.kind];
  return (
    <li>
      <look.icon size={15} color={`var(--mantine-color-${look.color}-filled)`} aria-hidden />
      <span>
        {c.of} <b className="fs-text">{c.name}</b> {look.word}
        {c.what && <span className="fs-text">: {c.what}</span>}
      </span>
    </li>
  );
}

import { Anchor, Button, Group, NativeSelect, Skeleton, Stack, Text } from '@mantine/core';
import {
  IconAlertTriangle,
  IconCalendarClock,
  IconChartBar,
  IconDots,
  IconHeartbeat,
  IconHistory,
  IconMessage,
  IconPencil,
  IconPlugConnected,
  IconStack2,
  IconTerminal2,
  IconUserCheck,
  type TablerIcon,
} from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { lookOf } from '../../kit/states';
import { dateOf } from '../../kit/time';
import { usePlace } from './place';
import { type Detail, type Entry, timelineQuery } from './queries';

const kinds: Record<Entry['kind'], { icon: TablerIcon; word: string }> = {
  contact: { icon: IconPlugConnected, word: 'Contacts' },
  liveness: { icon: IconHeartbeat, word: 'State' },
  approval: { icon: IconUserCheck, word: 'Approval' },
  change: { icon: IconPencil, word: 'Changes of its record' },
  stack: { icon: IconStack2, word: 'Stacks' },
  job: { icon: IconCalendarClock, word: 'Jobs' },
  command: { icon: IconTerminal2, word: 'Commands' },
  usage: { icon: IconChartBar, word: 'Data' },
  identity: { icon: IconAlertTriangle, word: 'Identity' },
  told: { icon: IconMessage, word: 'What it told' },
  'left-out': { icon: IconDots, word: 'Left out' },
};

const filters = Object.keys(kinds).filter((k) => k !== 'left-out') as Entry['kind'][];

const day = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** Timeline tells what happened to the device, the latest first. */
export function Timeline({ device }: { device: Detail }) {
  const { search, go } = usePlace();
  const kind = filters.find((k) => k === search.kind);
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(
    timelineQuery(device.id, kind),
  );
  const entries = data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Stack gap="xs">
      <NativeSelect
        w={{ base: '100%', xs: 240 }}
        aria-label="Kind of entries"
        value={kind ?? ''}
        onChange={(e) => go({ kind: e.currentTarget.value || undefined })}
        data={[{ value: '', label: 'All that happened' }, ...filters.map((k) => ({ value: k, label: kinds[k].word }))]}
      />
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton h={320} />
      ) : entries.length === 0 ? (
        <Empty icon={IconHistory} title={kind ? 'Nothing of that kind' : 'Nothing yet'}>
          Contacts, states, changes, stacks, jobs and commands show here. The newest 500 of 90 days are kept.
        </Empty>
      ) : (
        <Days entries={entries} device={device.id} />
      )}
      {hasNextPage && (
        <Group justify="center">
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Older
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Days({ entries, device }: { entries: Entry[]; device: string }) {
  const days = new Map<string, Entry[]>();
  for (const e of entries) {
    const at = dateOf(e.at);
    const name = at ? day.format(at) : '';
    days.set(name, [...(days.get(name) ?? []), e]);
  }
  return (
    <div>
      {[...days].map(([name, list]) => (
        <section key={name} aria-label={name}>
          <Text size="sm" fw={600} mt="sm" mb={4}>
            {name}
          </Text>
          <ol className="fs-timeline">
            {list.map((e, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: entries have no id, and the same may happen twice at a time
              <Row key={`${e.at} ${e.kind} ${i}`} entry={e} device={device} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

/** colorOf gives what went well or wrong the colour of its state. */
function colorOf(e: Entry): string | undefined {
  if (e.kind === 'job') return e.data?.state === 'job.failed' ? 'var(--mantine-color-red-filled)' : undefined;
  if (!e.data?.state || (e.kind !== 'stack' && e.kind !== 'command')) return undefined;
  return `var(--mantine-color-${lookOf(e.kind, e.data.state).color}-filled)`;
}

/** What says what happened. A state is shown as everywhere, and the hub's words for it would say it again. */
function What({ entry: { kind, text, data } }: { entry: Entry }) {
  if (kind !== 'liveness' || !data?.state) return text;
  return (
    <>
      <State kind="liveness" state={data.state} />
      {data.was && ` was ${lookOf('liveness', data.was).word}`}
    </>
  );
}

function Row({ entry: e, device }: { entry: Entry; device: string }) {
  const { go } = usePlace();
  const kind = kinds[e.kind] ?? { icon: IconDots, word: e.kind };
  const at = dateOf(e.at);
  const command = e.data?.command;
  const stack = e.data?.stack;
  const job = e.data?.job;
  return (
    <li data-kind={e.kind}>
      <kind.icon size={17} stroke={1.6} aria-label={kind.word} role="img" color={colorOf(e)} />
      <time dateTime={e.at} className="fs-clock">
        {at ? clock.format(at) : ''}
      </time>
      <div className="fs-text">
        <What entry={e} />
        {e.by && <span className="fs-dim"> by {e.by}</span>}{' '}
        {command && (
          <Anchor component="button" type="button" size="sm" underline="always" onClick={() => go({ command })}>
            Show the command
          </Anchor>
        )}
        {stack && (
          <LinkAnchor to="/stacks/$stack" params={{ stack }} size="sm" underline="always">
            Show the stack
          </LinkAnchor>
        )}
        {job && (
          <LinkAnchor to="/jobs/$job" params={{ job }} search={{ device }} size="sm" underline="always">
            Show its runs
          </LinkAnchor>
        )}
      </div>
      <span className="fs-dim fs-ago">
        <Since at={e.at} />
      </span>
    </li>
  );
}

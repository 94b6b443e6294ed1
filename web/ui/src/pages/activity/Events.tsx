import { Button, Group, NativeSelect, Skeleton, Table, Text } from '@mantine/core';
import { IconActivity } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { SearchField } from '../../kit/SearchField';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { About } from './About';
import { Newer, useHeld } from './held';
import { type Event, eventsQuery, namesQuery } from './queries';
import { SinceField } from './SinceField';
import { hasWords, sinceHours } from './words';

const showFirst = 100;
// The hub keeps no more.
const keepMost = 20_000;
// Comes with every snapshot of every device; shown only when it is asked for.
const noisy = 'device.snapshot';

/** Events shows what happened, and what happens, as it comes. */
export function Events() {
  const { q, kind, since } = useSearch({ from: '/inside/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const phone = usePhone();
  const cache = useQueryClient();
  const { live } = useRouteContext({ from: '__root__' });
  const [most, setMost] = useState(showFirst);
  const query = useMemo(() => eventsQuery(sinceHours(since) ?? '0'), [since]);
  const { data, error, refetch } = useQuery(query);
  const { data: names } = useQuery(namesQuery);
  useEffect(
    () =>
      live.tap((event) =>
        cache.setQueryData(query.queryKey, (all) =>
          !all || all.some((e) => e.id === event.id) ? all : [event, ...all].slice(0, keepMost),
        ),
      ),
    [live, cache, query],
  );
  const fit = useMemo(
    () =>
      (data ?? []).filter(
        (e) =>
          (kind ? e.kind.startsWith(kind) : e.kind !== noisy) &&
          hasWords(q, e.kind, e.text, e.device, e.device && names?.get(e.device), e.group, e.stack),
      ),
    [data, q, kind, names],
  );
  const { shown, newer, show } = useHeld(fit, idOf);
  const seen = shown.slice(0, most);
  return (
    <>
      <Group gap="sm">
        <SearchField
          label="Search the events"
          value={q}
          search={(text) => navigate({ search: (s) => ({ ...s, q: text }), replace: true })}
          size={phone ? 'md' : 'sm'}
          w={{ base: '100%', sm: 280 }}
        />
        <NativeSelect
          aria-label="Kind"
          size={phone ? 'md' : 'sm'}
          flex={{ base: 1, sm: 'initial' }}
          data={[
            { value: '', label: 'all but snapshots' },
            { value: 'device.', label: 'devices, with snapshots' },
            { value: 'device.liveness', label: 'liveness' },
            { value: 'waiting.', label: 'waiting room' },
            { value: 'stack.', label: 'stacks' },
            { value: 'rollout.', label: 'rollouts' },
            { value: 'command.', label: 'commands' },
          ]}
          value={kind ?? ''}
          onChange={(e) => {
            const v = e.currentTarget.value || undefined;
            navigate({ search: (s) => ({ ...s, kind: v }), replace: true });
          }}
        />
        <SinceField />
        <Text size="sm" c="dimmed" ml={{ sm: 'auto' }} w={{ base: '100%', sm: 'auto' }}>
          {count(fit.length, 'event')}
        </Text>
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={400} />}
      {data && fit.length === 0 && (
        <Empty icon={IconActivity} title="No event fits">
          What happens from now on appears here by itself. The hub keeps the latest {count(keepMost)} events.
        </Empty>
      )}
      {seen.length > 0 && (
        <Table aria-label="Events" layout={phone ? 'auto' : 'fixed'} highlightOnHover>
          {!phone && (
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={110}>When</Table.Th>
                <Table.Th w={190}>What</Table.Th>
                <Table.Th w={240}>About</Table.Th>
                <Table.Th>Text</Table.Th>
              </Table.Tr>
            </Table.Thead>
          )}
          <Table.Tbody>
            {seen.map((e) => (phone ? <Narrow key={e.id} event={e} /> : <Wide key={e.id} event={e} />))}
          </Table.Tbody>
        </Table>
      )}
      <Newer n={newer} show={show} />
      {shown.length > seen.length && (
        <Group justify="center">
          <Button variant="default" onClick={() => setMost(most + 200)}>
            Show more
          </Button>
        </Group>
      )}
    </>
  );
}

const idOf = (e: Event) => String(e.id);

function Wide({ event: e }: { event: Event }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Since at={e.at} />
      </Table.Td>
      <Table.Td className="fs-text fs-code">{e.kind}</Table.Td>
      <Table.Td className="fs-text">
        <Things event={e} />
      </Table.Td>
      <Table.Td className="fs-text">{textOf(e)}</Table.Td>
    </Table.Tr>
  );
}

function Narrow({ event: e }: { event: Event }) {
  return (
    <Table.Tr>
      <Table.Td className="fs-text" px={0}>
        <Group gap="xs" justify="space-between">
          <Things event={e} />
          <Text size="xs" c="dimmed" component="div">
            <Since at={e.at} />
          </Text>
        </Group>
        {textOf(e) && <Text size="sm">{textOf(e)}</Text>}
        <Text size="xs" c="dimmed" className="fs-code">
          {e.kind}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}

function textOf(e: Event): string | undefined {
  return e.kind === 'gap' ? 'Earlier events are not kept any more.' : e.text;
}

function Things({ event: e }: { event: Event }) {
  return (
    <Group gap="xs">
      {e.device && <About thing={{ kind: 'device', id: e.device }} />}
      {e.stack && <About thing={{ kind: 'stack', id: e.stack }} />}
      {!e.device && !e.stack && e.group && <About thing={{ kind: 'group', id: `/${e.group}` }} />}
    </Group>
  );
}

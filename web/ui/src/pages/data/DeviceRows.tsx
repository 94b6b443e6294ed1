import { Button, Checkbox, Group, Paper, Select, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import { bytes, count } from '../../kit/bytes';
import { CapBar, capWords } from '../../kit/data/CapBar';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { lookOf, stageReason, stages } from '../../kit/states';
import { usePhone } from '../../kit/usePhone';
import { type DataSearch, usageDevicesQuery } from './queries';

type FleetUsage = Schemas['FleetUsage'];
type DeviceUsage = Schemas['UsageRow'];

interface Props {
  search: DataSearch;
  change: (next: Partial<DataSearch>) => void;
  /** The sums of all that are asked for, once they are there. */
  usage: FleetUsage | undefined;
}

const sorts = [
  { value: 'share', label: 'Nearest to its cap' },
  { value: 'spent', label: 'Most spent' },
  { value: 'projected', label: 'Most at the cycle’s end' },
] as const;

/** DeviceRows lists devices with what they have spent in their cycle, and where they will be at its end. */
export function DeviceRows({ search, change, usage }: Props) {
  const phone = usePhone();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    usageDevicesQuery(search),
  );
  const rows = data?.pages.flatMap((p) => p.items) ?? [];
  const narrowed = search.stage !== undefined || search.over;
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-devices">
      <Group justify="space-between" gap="xs" mb="xs">
        <Title order={2} size="h4" id="fs-data-devices">
          Devices, in their billing cycles
        </Title>
        <Group gap="sm">
          <Checkbox
            label={`Only who is or will be over a cap${usage ? ` (${usage.over})` : ''}`}
            checked={search.over ?? false}
            onChange={(e) => change({ over: e.currentTarget.checked || undefined })}
          />
          <Select
            aria-label="Stage of spending"
            placeholder="Any stage"
            clearable
            w={130}
            data={stages.map((s) => ({
              value: s,
              label: `${lookOf('spending', s).word}${usage ? ` (${count(usage.stages[s] ?? 0)})` : ''}`,
            }))}
            value={search.stage ?? null}
            onChange={(v) => change({ stage: stages.find((s) => s === v) })}
          />
          <Select
            aria-label="Sorted by"
            allowDeselect={false}
            w={210}
            data={[...sorts]}
            value={search.sort ?? 'share'}
            onChange={(v) => change({ sort: v === 'share' ? undefined : sorts.find((s) => s.value === v)?.value })}
          />
        </Group>
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={160} />}
      {data && rows.length === 0 && (
        <Text size="sm" c="dimmed">
          {search.over
            ? 'Nobody: no device that is asked for passes a cap in this cycle.'
            : narrowed
              ? 'No device is at this stage.'
              : 'No device is here.'}
        </Text>
      )}
      {rows.length > 0 && (phone ? <Cards rows={rows} /> : <Rows rows={rows} />)}
      {hasNextPage && (
        <Button variant="default" mt="sm" loading={isFetchingNextPage} onClick={() => fetchNextPage()}>
          More
        </Button>
      )}
    </Paper>
  );
}

const money = (d: DeviceUsage) => (d.projected_cost ? `${d.projected_cost} ${d.currency ?? ''}` : '–');

function Name({ device: d }: { device: DeviceUsage }) {
  return (
    <LinkAnchor
      to="/devices/$device"
      params={{ device: d.device }}
      search={{ tab: 'data' }}
      size="sm"
      fw={500}
      className="fs-text"
      py={{ base: 6, sm: 0 }}
      display="inline-block"
    >
      {d.name}
    </LinkAnchor>
  );
}

function Ahead({ device: d }: { device: DeviceUsage }) {
  const over = d.hard !== undefined && d.hard > 0 && (d.projected ?? 0) > d.hard;
  if (!d.projected) return '–';
  return over ? (
    <b className="da-over" title="More than the hard cap">
      {bytes(d.projected)}
    </b>
  ) : (
    bytes(d.projected)
  );
}

function Rows({ rows }: { rows: readonly DeviceUsage[] }) {
  return (
    <div className="fs-scroll">
      <Table aria-label="Devices and what they spent" verticalSpacing={6} miw={900}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Device</Table.Th>
            <Table.Th>Stage</Table.Th>
            <Table.Th w="26%">Spent in this cycle</Table.Th>
            <Table.Th ta="right">At its end</Table.Th>
            <Table.Th ta="right">Cost</Table.Th>
            <Table.Th>Profile</Table.Th>
            <Table.Th>Next contact</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((d) => (
            <Table.Tr key={d.device}>
              <Table.Td>
                <Name device={d} />
                <Text size="xs" c="dimmed" className="fs-text">
                  {d.group}
                </Text>
              </Table.Td>
              <Table.Td>
                <State kind="spending" state={d.stage} reason={stageReason(d.stage)} />
              </Table.Td>
              <Table.Td>
                <Text size="sm">{capWords(d)}</Text>
                <CapBar {...d} />
              </Table.Td>
              <Table.Td ta="right">
                <Ahead device={d} />
              </Table.Td>
              <Table.Td ta="right">{money(d)}</Table.Td>
              <Table.Td className="fs-text">{d.profile || '–'}</Table.Td>
              <Table.Td>
                <Since at={d.next_contact} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ rows }: { rows: readonly DeviceUsage[] }) {
  return (
    <Stack component="ul" gap="sm" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Devices and what they spent">
      {rows.map((d) => (
        <Paper component="li" withBorder p="xs" key={d.device}>
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Name device={d} />
            <State kind="spending" state={d.stage} />
          </Group>
          <Text size="sm">{capWords(d)}</Text>
          <CapBar {...d} />
          <Text size="xs" c="dimmed" mt={4}>
            At the cycle’s end <Ahead device={d} />
            {d.projected_cost && `, ${money(d)}`}
            {d.next_contact && (
              <>
                {'. '}Next contact <Since at={d.next_contact} />
              </>
            )}
          </Text>
        </Paper>
      ))}
    </Stack>
  );
}

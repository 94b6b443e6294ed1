import { Group, Paper, SegmentedControl, Select, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconChartBar, IconTags } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { groupsQuery } from '../../api/queries';
import { bytes, count } from '../../kit/bytes';
import { Chart, Legend } from '../../kit/data/Chart';
import { sumOf } from '../../kit/data/classes';
import { moneyWords } from '../../kit/data/Estimate';
import { filled } from '../../kit/data/scale';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { DeviceRows } from './DeviceRows';
import { type DataSearch, type Since, spans, stepSeconds, usageQuery } from './queries';

type FleetUsage = Schemas['FleetUsage'];

/** Use is what the devices that are asked for have spent: over time, by group, and one by one. */
export function Use() {
  const search = useSearch({ from: '/inside/data' });
  const navigate = useNavigate({ from: '/data' });
  const since = search.since ?? '30d';
  const change = (next: Partial<DataSearch>) =>
    void navigate({ search: (s) => ({ ...s, ...next }), resetScroll: false });
  const { data, error, refetch } = useQuery(usageQuery(search, since));
  const wrongSelector = error ? asProblem(error).fields.find((f) => f.location === 'query.selector') : undefined;
  const all = data ? sumOf(data.totals) : 0;
  return (
    <Stack gap="md">
      <Filters search={search} change={change} wrong={wrongSelector?.message} />
      {!wrongSelector && <Failure error={error} retry={refetch} />}
      {!data && !error && <Skeleton h={320} />}
      {data && <Sums usage={data} />}
      {data && (
        <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-time">
          <Group justify="space-between" mb="xs" gap="xs">
            <Title order={2} size="h4" id="fs-data-time">
              {all > 0 ? `${bytes(all)} in ${spans[since].words}` : `Nothing in ${spans[since].words}`}
            </Title>
            <SegmentedControl
              size="xs"
              aria-label="How far back"
              value={since}
              onChange={(v) => change({ since: v === '30d' ? undefined : (v as Since) })}
              data={Object.entries(spans).map(([value, s]) => ({ value, label: s.words }))}
            />
          </Group>
          {all > 0 ? <Time usage={data} since={since} /> : <Nothing narrowed={!!(search.group || search.selector)} />}
        </Paper>
      )}
      {data && data.groups.length > 1 && <Groups usage={data} choose={(group) => change({ group })} />}
      <DeviceRows search={search} change={change} usage={data} />
    </Stack>
  );
}

interface FiltersProps {
  search: DataSearch;
  change: (next: Partial<DataSearch>) => void;
  /** What the hub has against the selector. */
  wrong: string | undefined;
}

function Filters({ search, change, wrong }: FiltersProps) {
  const { data: groups } = useQuery(groupsQuery);
  const [selector, setSelector] = useState(search.selector ?? '');
  useEffect(() => setSelector(search.selector ?? ''), [search.selector]);
  const apply = () => {
    const next = selector.trim();
    if (next !== (search.selector ?? '')) change({ selector: next || undefined });
  };
  const paths = groups?.items.flatMap((g) => (g.path === '' ? [] : [g.path])) ?? [];
  return (
    <Group gap="xs" align="flex-start">
      <Select
        aria-label="Group, and what is below it"
        placeholder="All groups"
        clearable
        searchable
        limit={100}
        w={{ base: '100%', sm: 260 }}
        data={[...new Set([...paths, ...(search.group ? [search.group] : [])])]}
        value={search.group ?? null}
        onChange={(v) => change({ group: v ?? undefined })}
      />
      <form
        style={{ flex: '1 1 240px' }}
        onSubmit={(e) => {
          e.preventDefault();
          apply();
        }}
      >
        <TextInput
          aria-label="Label selector"
          placeholder="Label selector, such as link=satellite"
          leftSection={<IconTags size={16} aria-hidden />}
          spellCheck={false}
          autoCapitalize="none"
          value={selector}
          onChange={(e) => setSelector(e.currentTarget.value)}
          onBlur={apply}
          error={wrong}
        />
      </form>
    </Group>
  );
}

/** Sums says how the devices stand in their cycles, all together. */
function Sums({ usage: u }: { usage: FleetUsage }) {
  const money = (cost: FleetUsage['cost']) => (cost.length > 0 ? `, ${moneyWords(cost)}` : '');
  return (
    <Text size="sm" data-testid="sums">
      {count(u.devices, 'device')} in {u.devices === 1 ? 'its billing cycle' : 'their billing cycles'}:{' '}
      <b>{bytes(u.spent)}</b> spent{money(u.cost)}
      {u.projected > u.spent && (
        <>
          ; <b>{bytes(u.projected)}</b> at the end{money(u.projected_cost)}
        </>
      )}
      .
    </Text>
  );
}

function Time({ usage, since }: { usage: FleetUsage; since: Since }) {
  const { step } = spans[since];
  const steps = filled(usage.steps, {
    from: Date.parse(usage.from),
    to: Date.parse(usage.to),
    seconds: stepSeconds[step],
    empty: (at) => ({ at, classes: {} }),
  });
  return (
    <Stack gap="xs">
      <Chart steps={steps} step={step} label={`Bytes by class, each ${step}`} />
      <Legend totals={usage.totals} />
    </Stack>
  );
}

function Nothing({ narrowed }: { narrowed: boolean }) {
  return (
    <Empty icon={IconChartBar} title="No device has told what it spent">
      {narrowed
        ? 'None of those asked for above, in this time. Take something away, or look further back.'
        : 'Devices count what goes over their links and say so with what they send anyway. Agents that are older than this hub do not.'}
    </Empty>
  );
}

function Groups({ usage, choose }: { usage: FleetUsage; choose: (group: string) => void }) {
  const groups = [...usage.groups].sort((a, b) => b.bytes - a.bytes).slice(0, 12);
  const most = Math.max(1, ...groups.map((g) => g.bytes));
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-labelledby="fs-data-groups">
      <Title order={2} size="h4" id="fs-data-groups" mb="xs">
        By group
      </Title>
      <ul className="da-groups">
        {groups.map((g) => (
          <li key={g.group}>
            <button
              type="button"
              onClick={() => choose(g.group)}
              disabled={g.group === ''}
              title="Show this group alone"
            >
              <span className="fs-text">{g.group || 'in no group'}</span>
              <b>{bytes(g.bytes)}</b>
              <span className="da-share" style={{ width: `${(100 * g.bytes) / most}%` }} />
            </button>
          </li>
        ))}
      </ul>
      {usage.groups.length > groups.length && (
        <Text size="xs" c="dimmed" mt="xs">
          The {groups.length} that spent most of {usage.groups.length}.
        </Text>
      )}
    </Paper>
  );
}

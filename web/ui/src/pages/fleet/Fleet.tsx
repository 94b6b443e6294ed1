import './fleet.css';
import { Button, Group, SegmentedControl, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconDownload, IconFilterOff, IconKey, IconServer2 } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import { prefix } from '../../api/client';
import { asProblem } from '../../api/problem';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkButton } from '../../kit/links';
import { usePhone } from '../../kit/usePhone';
import { BulkBar } from './BulkBar';
import { Chips } from './Chips';
import { ColumnMenu } from './ColumnMenu';
import { Counts } from './Counts';
import { DeviceCards } from './DeviceCards';
import { DeviceTable } from './DeviceTable';
import { FilterMenu } from './FilterMenu';
import { type Filter, type FleetSearch, filterOf, plain, queryText, sortOf } from './filter';
import { SelectorBar } from './SelectorBar';
import { nothing, type Selection, sizeOf } from './selection';
import { type Devices, useDevices } from './useDevices';
import { ViewMenu } from './ViewMenu';

const FleetMap = lazy(() => import('./map/FleetMap'));

/** Fleet shows all devices, or those that are asked for, as a table, as cards on a phone, or on a map. */
export function Fleet() {
  useDocumentTitle('Fleet · Farshore');
  const search: FleetSearch = useSearch({ from: '/inside/fleet' });
  const navigate = useNavigate();
  const go = useCallback(
    (next: Partial<FleetSearch>, replace: boolean) =>
      void navigate({ to: '/fleet', search: (now) => ({ ...now, ...next }), replace, resetScroll: false }),
    [navigate],
  );
  // The back button takes back what was asked for, not how it is arranged.
  const change = useCallback((next: Partial<FleetSearch>) => go(next, false), [go]);
  const arrange = useCallback((next: Partial<FleetSearch>) => go(next, true), [go]);
  const asked = JSON.stringify(filterOf(search));
  const filter = useMemo<Filter>(() => JSON.parse(asked), [asked]);
  const devices = useDevices(filter, sortOf(search));
  const phone = usePhone();
  const problem = devices.error ? asProblem(devices.error) : undefined;
  const wrongSelector = problem?.fields.find((f) => f.location === 'query.selector')?.message;
  const map = search.view === 'map';
  const none = !devices.pending && !devices.before && devices.total === 0;
  return (
    <div className="fs-page fl-page" data-view={map ? 'map' : 'list'}>
      <Group justify="space-between" gap="sm">
        <Group gap="sm" align="baseline">
          <Title order={1}>Fleet</Title>
          <Text size="sm" c="dimmed" aria-live="polite">
            {devices.known ? count(devices.total, 'device') : '– devices'}
            {asked !== '{}' && !phone && ' that fit'}
          </Text>
        </Group>
        <Group gap="xs">
          <SegmentedControl
            size="xs"
            aria-label="Show the devices as"
            value={map ? 'map' : 'list'}
            onChange={(v) => change({ view: v === 'map' ? 'map' : undefined })}
            data={[
              { value: 'list', label: 'List' },
              { value: 'map', label: 'Map' },
            ]}
          />
          <ViewMenu search={search} />
          {!map && !phone && <ColumnMenu hide={search.hide} change={arrange} />}
          <Button
            component="a"
            href={`${prefix}/api/v1/devices/export?${queryText(filter)}`}
            download
            variant="default"
            size="xs"
            leftSection={<IconDownload size={14} aria-hidden />}
            visibleFrom="sm"
          >
            Export CSV
          </Button>
        </Group>
      </Group>
      <Counts states={devices.states} known={devices.known} search={search} change={change} />
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <SelectorBar selector={search.selector} wrong={wrongSelector} change={change} />
        <FilterMenu search={search} change={change} />
      </Group>
      <Chips search={search} change={change} />
      {!wrongSelector && <Failure error={devices.error} retry={devices.retry} />}
      {none && !devices.error && <None filtered={asked !== '{}'} search={search} />}
      {none ? null : map ? (
        <div className="fl-rest">
          <Suspense fallback={<Skeleton flex={1} mih={320} />}>
            <FleetMap filter={filter} search={search} />
          </Suspense>
        </div>
      ) : (
        <List {...{ devices, asked, search, filter, arrange, phone }} />
      )}
    </div>
  );
}

interface ListProps {
  devices: Devices;
  asked: string;
  search: FleetSearch;
  filter: Filter;
  arrange: (next: Partial<FleetSearch>) => void;
  phone: boolean;
}

function List({ devices, asked, search, filter, arrange, phone }: ListProps) {
  // What was selected under another filter is selected no longer: one could not see what it is.
  const [chosen, setChosen] = useState({ asked, selection: nothing as Selection });
  const selection = chosen.asked === asked ? chosen.selection : nothing;
  const select = useCallback(
    (next: (now: Selection) => Selection) =>
      setChosen((c) => ({ asked, selection: next(c.asked === asked ? c.selection : nothing) })),
    [asked],
  );
  if (phone) return <DeviceCards devices={devices} />;
  return (
    <div className="fl-rest">
      <DeviceTable {...{ devices, search, arrange, selection, select }} asked={`${asked} ${sortOf(search)}`} />
      {sizeOf(selection, devices.total) > 0 && (
        <BulkBar {...{ selection, select, filter, total: devices.total }} settled={!devices.before} />
      )}
    </div>
  );
}

function None({ filtered, search }: { filtered: boolean; search: FleetSearch }) {
  if (filtered) {
    return (
      <Empty icon={IconFilterOff} title="No device fits">
        <Stack align="center" gap="sm">
          All that is asked for above has to fit at once. Take something away, or look at all devices.
          <LinkButton variant="default" to="/fleet" search={plain(search)}>
            Show all devices
          </LinkButton>
        </Stack>
      </Empty>
    );
  }
  return (
    <Empty icon={IconServer2} title="No devices yet">
      <Stack align="center" gap="sm">
        A device comes in with an edge key. Make one, run the agent with it, and approve the device in the waiting room.
        <Group justify="center">
          <May operation="keys.create">
            <LinkButton to="/keys" leftSection={<IconKey size={16} aria-hidden />}>
              Make an edge key
            </LinkButton>
          </May>
          <May operation="waiting.read">
            <LinkButton to="/waiting" variant="default">
              Look into the waiting room
            </LinkButton>
          </May>
        </Group>
      </Stack>
    </Empty>
  );
}

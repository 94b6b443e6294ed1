import { ActionIcon, Anchor, Box, Button, Chip, Group, NativeSelect, Skeleton, Text } from '@mantine/core';
import { IconDeviceDesktopOff, IconFiles, IconFilterOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { lazy, Suspense, useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { Schemas } from '../../api/client';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { SearchField } from '../../kit/SearchField';
import { Since } from '../../kit/Since';
import { StackReason } from '../../kit/StackReason';
import { State } from '../../kit/State';
import { lookOf } from '../../kit/states';
import { usePhone } from '../../kit/usePhone';
import { batchQuery, stackDevicesQuery } from './queries';
import { shares } from './StateBar';

const DeviceBundle = lazy(() => import('./DeviceBundle').then((m) => ({ default: m.DeviceBundle })));

type Row = Schemas['DeviceStack'];

// Fewer are all in the page, so that the browser's own search finds them.
const manyRows = 200;

/** StackDevices lists the devices of a stack, what needs a person first. */
export function StackDevices({ stack }: { stack: Schemas['Stack'] }) {
  const search = useSearch({ from: '/inside/stacks/$stack' });
  const navigate = useNavigate({ from: '/stacks/$stack' });
  const rollout = search.rollout ?? stack.rollout?.number ?? 0;
  const of = rollout === stack.rollout?.number ? stack.rollout : undefined;
  const batch = search.batch;
  const everybody = useQuery({ ...stackDevicesQuery(stack.name), enabled: batch === undefined });
  const some = useQuery({ ...batchQuery(stack.name, rollout, batch ?? 0), enabled: batch !== undefined });
  const { error, refetch } = batch === undefined ? everybody : some;
  const data = batch === undefined ? everybody.data : some.data && { items: some.data.items.map((d) => d.now) };
  const wanted = useMemo(() => (search.state ? search.state.split(',') : []), [search.state]);
  const rows = useMemo(() => find(data?.items ?? [], wanted, search.q), [data, wanted, search.q]);
  const filter = (part: Part) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true });
  const look = useCallback(
    (device?: string) => void navigate({ search: (s) => ({ ...s, bundle: device }), replace: true }),
    [navigate],
  );
  const looked = data?.items.find((r) => r.device === search.bundle);
  // A state that is filtered by is shown, also where no device is in it any more.
  const states = { ...Object.fromEntries(wanted.map((s) => [s, 0])), ...stack.states };
  const known = [...shares(stack.states), ...wanted.filter((s) => !stack.states[s]).map((state) => ({ state, n: 0 }))];
  return (
    <div>
      <Group gap="xs" mb="sm">
        <SearchField
          label="Search devices and reasons"
          value={search.q}
          search={(q) => filter({ q })}
          w={{ base: '100%', sm: 280 }}
        />
        <Batches
          known={of?.batches.map((b) => b.number) ?? []}
          value={batch}
          choose={(n) => filter({ batch: n, ...(n === undefined && { rollout: undefined }) })}
        />
        <Chip.Group multiple value={wanted} onChange={(v) => filter({ state: v.length > 0 ? v.join(',') : undefined })}>
          <Group gap={6} role="group" aria-label="Only devices in these states">
            {known.map(({ state }) => (
              <Chip key={state} value={state} size="sm" variant="light">
                {lookOf('stack', state).word} {count(states[state] ?? 0)}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      </Group>
      <Failure error={error} retry={() => refetch()} />
      {!data && !error && <Skeleton h={240} />}
      {data && rows.length === 0 && (
        <Nothing
          any={data.items.length > 0}
          clear={() => filter({ state: undefined, q: undefined, batch: undefined, rollout: undefined })}
        />
      )}
      {rows.length > 0 && (
        <Box role="table" aria-label="Devices of the stack" aria-rowcount={rows.length + 1}>
          <Box role="row" className="fs-device-row fs-head">
            {['Device', 'State', 'Version', 'Reason', 'Since', 'Bundle'].map((h) => (
              <Text key={h} role="columnheader" size="xs" fw={600} c="dimmed">
                {h}
              </Text>
            ))}
          </Box>
          {rows.length > manyRows ? (
            <Virtual rows={rows} look={look} />
          ) : (
            rows.map((r) => <Line key={r.device} row={r} look={look} />)
          )}
        </Box>
      )}
      {search.bundle && (
        <Suspense>
          <DeviceBundle
            stack={stack.name}
            device={search.bundle}
            name={looked?.device_name || search.bundle}
            close={() => look()}
          />
        </Suspense>
      )}
    </div>
  );
}

/** Part is what of the address the filters change. */
interface Part {
  state?: string | undefined;
  q?: string | undefined;
  batch?: number | undefined;
  rollout?: number | undefined;
}

interface BatchesProps {
  known: readonly number[];
  value: number | undefined;
  choose: (batch: number | undefined) => void;
}

/** Batches chooses the devices of one batch; nothing where there is none to choose. */
function Batches({ known, value, choose }: BatchesProps) {
  const phone = usePhone();
  const all = value === undefined || known.includes(value) ? known : [...known, value];
  if (all.length === 0) return null;
  return (
    <NativeSelect
      aria-label="Batch"
      size={phone ? 'md' : 'sm'}
      value={value ?? ''}
      onChange={(e) => choose(Number(e.currentTarget.value) || undefined)}
      data={[{ value: '', label: 'all batches' }, ...all.map((n) => ({ value: String(n), label: `batch ${n}` }))]}
    />
  );
}

/** find gives the rows that fit, failed ones first and then by name. */
function find(all: readonly Row[], states: readonly string[], q = ''): Row[] {
  const words = q.toLowerCase().split(/\s+/);
  const order = shares(Object.fromEntries(all.map((r) => [r.state, 1]))).map((s) => s.state);
  return all
    .filter((r) => states.length === 0 || states.includes(r.state))
    .filter((r) => {
      const text = `${r.device_name} ${r.device} ${r.code ?? ''} ${r.detail ?? ''}`.toLowerCase();
      return words.every((w) => text.includes(w));
    })
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.device_name.localeCompare(b.device_name));
}

function Virtual({ rows, look }: { rows: readonly Row[]; look: (device: string) => void }) {
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(frame.current?.offsetTop ?? 0), []);
  const list = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => 44,
    overscan: 15,
    scrollMargin: top,
    getItemKey: (i) => rows[i]?.device ?? i,
  });
  return (
    <div ref={frame} style={{ height: list.getTotalSize(), position: 'relative' }}>
      {list.getVirtualItems().map((item) => {
        const row = rows[item.index];
        return (
          <div
            key={item.key}
            data-index={item.index}
            ref={list.measureElement}
            style={{ position: 'absolute', top: 0, left: 0, right: 0, transform: `translateY(${item.start - top}px)` }}
          >
            {row && <Line row={row} look={look} />}
          </div>
        );
      })}
    </div>
  );
}

function Line({ row: r, look }: { row: Row; look: (device: string) => void }) {
  const phone = usePhone();
  return (
    <Box role="row" className="fs-device-row">
      <Text role="cell" size="sm" component="div" miw={0}>
        <Anchor
          renderRoot={(props) => (
            <Link to="/devices/$device" params={{ device: r.device }} search={{ tab: 'stacks' }} {...props} />
          )}
          size="sm"
          className="fs-text"
          display="inline-block"
          py={{ base: 9, sm: 0 }}
        >
          {r.device_name || r.device}
        </Anchor>
      </Text>
      <Box role="cell">
        <State kind="stack" state={r.state} />
      </Box>
      <Text role="cell" size="sm" component="div">
        <Text component="span" inherit hiddenFrom="sm">
          version{' '}
        </Text>
        <Versions row={r} />
      </Text>
      <Text role="cell" size="sm" className="fs-text" component="div">
        {r.detail || r.code || r.hold || r.total_bytes ? (
          <StackReason stack={r} />
        ) : (
          <Text component="span" inherit visibleFrom="sm" aria-hidden>
            –
          </Text>
        )}
      </Text>
      <Text role="cell" size="sm" c="dimmed" component="div">
        <Since at={r.at} />
      </Text>
      <Box role="cell">
        <ActionIcon
          variant="subtle"
          color="gray"
          size={phone ? 42 : 28}
          onClick={() => look(r.device)}
          aria-label={`What ${r.device_name || r.device} is given`}
        >
          <IconFiles size={16} aria-hidden />
        </ActionIcon>
      </Box>
    </Box>
  );
}

/** Versions says which version a device shall have, and which runs where that is another. */
function Versions({ row: r }: { row: Row }) {
  if (r.running === r.version) return <>{r.version ?? '–'}</>;
  if (!r.version) return <>{r.running ? `${r.running}, to go` : 'to go'}</>;
  return (
    <>
      {r.running ? `${r.running} → ` : '→ '}
      {r.version}
    </>
  );
}

function Nothing({ any, clear }: { any: boolean; clear: () => void }) {
  return any ? (
    <Empty icon={IconFilterOff} title="No device fits">
      Others are hidden by the search or by the states chosen above.
      <br />
      <Button variant="default" mt="md" onClick={clear}>
        Show all
      </Button>
    </Empty>
  ) : (
    <Empty icon={IconDeviceDesktopOff} title="No device has it">
      No device is meant now. One that fits later gets it then; or edit the stack and choose others.
    </Empty>
  );
}

import { Button, Group, NativeSelect, Skeleton, Table, Text } from '@mantine/core';
import { IconDeviceDesktopOff } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { RunState } from './JobRuns';
import { deviceClasses, type JobDevice, jobDevicesQuery, type Run } from './queries';
import { Marks } from './Strip';

const classWords: Record<(typeof deviceClasses)[number], string> = {
  failed: 'with a failure',
  running: 'on which it runs',
  done: 'on which it went well',
  other: 'skipped, missed or cancelled',
  never: 'without a run yet',
  withheld: 'that are not given it',
};

/** JobDevices lists the devices of a job with what became of their latest runs. */
export function JobDevices({ job }: { job: string }) {
  const search = useSearch({ from: '/inside/jobs/$job' });
  const navigate = useNavigate({ from: '/jobs/$job' });
  const state = deviceClasses.find((c) => c === search.state);
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(
    jobDevicesQuery(job, state),
  );
  const rows = data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <div>
      <Group gap="sm" mb="sm">
        <NativeSelect
          aria-label="Only devices whose latest run is"
          w={240}
          value={state ?? ''}
          onChange={(e) => {
            const next = e.currentTarget.value || undefined;
            void navigate({ search: (s) => ({ ...s, state: next }), replace: true });
          }}
          data={[
            { value: '', label: 'all devices' },
            ...deviceClasses.map((c) => ({ value: c, label: `those ${classWords[c]}` })),
          ]}
        />
        {data && (
          <Text size="sm" c="dimmed">
            {count(data.pages[0]?.total ?? 0, 'device')}
          </Text>
        )}
      </Group>
      <Failure error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={240} />}
      {data && rows.length === 0 && (
        <Empty icon={IconDeviceDesktopOff} title={state ? 'No device fits' : 'No device has it'}>
          {state
            ? 'Others are hidden by what is chosen above.'
            : 'A device that fits later gets it then; or edit which devices it is for.'}
        </Empty>
      )}
      {rows.length > 0 && (
        <DeviceRows
          rows={rows}
          label="Devices of the job"
          first="Device"
          name={(r) => (
            <LinkAnchor
              to="/devices/$device"
              params={{ device: r.device }}
              search={{ tab: 'jobs' }}
              size="sm"
              className="fs-text"
            >
              {r.name || r.device}
            </LinkAnchor>
          )}
          runs={(r) => (
            <LinkAnchor to="/jobs/$job" params={{ job }} search={{ device: r.device }} size="sm">
              {count(r.runs, 'run')}
            </LinkAnchor>
          )}
          open={(r) => void navigate({ search: (s) => ({ ...s, of: r.device, run: r.run }) })}
        />
      )}
      {hasNextPage && (
        <Group justify="center" mt="sm">
          <Button variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            More
          </Button>
        </Group>
      )}
    </div>
  );
}

interface RowsProps {
  rows: readonly JobDevice[];
  label: string;
  first: string;
  name: (row: JobDevice) => ReactNode;
  /** A link to all runs of a row. */
  runs: (row: JobDevice) => ReactNode;
  open: (run: Run) => void;
}

/** DeviceRows shows jobs on devices: of one job, or of one device. */
export function DeviceRows({ rows, label, first, name, runs, open }: RowsProps) {
  const phone = usePhone();
  const key = (r: JobDevice) => `${r.job} ${r.device}`;
  const withheld = (r: JobDevice) =>
    r.withheld &&
    !(r.one_shot && r.last) && (
      <Text size="xs" className="fs-warning">
        Not given it: {r.withheld.text}
      </Text>
    );
  const last = (r: JobDevice) =>
    r.last ? <RunState run={r.last} open={() => r.last && open(r.last)} /> : 'no run yet';
  if (phone) {
    return (
      <ul className="jb-cards" aria-label={label}>
        {rows.map((r) => (
          <li key={key(r)} className="fs-card">
            <div className="fs-card-head">
              {name(r)}
              {last(r)}
            </div>
            <Text size="sm" component="div">
              {r.last && (
                <>
                  <Since at={r.last.due} />
                  {' · '}
                </>
              )}
              {r.runs > 0 && runs(r)}
              {r.next[0] && (
                <>
                  {' · next '}
                  <Since at={r.next[0]} />
                </>
              )}
            </Text>
            {r.strip.length > 0 && <Marks marks={r.strip} />}
            {withheld(r)}
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className="fs-scroll">
      <Table highlightOnHover miw={820} aria-label={label}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{first}</Table.Th>
            <Table.Th w={150}>Latest run</Table.Th>
            <Table.Th w={130}>When</Table.Th>
            <Table.Th w={130}>Next</Table.Th>
            <Table.Th w={190}>Last results</Table.Th>
            <Table.Th w={90}>Kept</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((r) => (
            <Table.Tr key={key(r)}>
              <Table.Td>
                {name(r)}
                {withheld(r)}
              </Table.Td>
              <Table.Td>{last(r)}</Table.Td>
              <Table.Td>
                <Since at={r.last?.due} />
              </Table.Td>
              <Table.Td>
                <Since at={r.next[0]} />
              </Table.Td>
              <Table.Td>
                <Marks marks={r.strip} />
              </Table.Td>
              <Table.Td>{runs(r)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

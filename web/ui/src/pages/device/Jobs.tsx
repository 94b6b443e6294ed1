import { Button, Drawer, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconCalendarClock, IconTerminal2 } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { usePhone } from '../../kit/usePhone';
import { DeviceRows } from '../jobs/JobDevices';
import { deviceJobsQuery, jobRunsQuery } from '../jobs/queries';
import { RunView } from '../jobs/RunDrawer';
import { usePlace } from './place';
import type { Detail } from './queries';
import { RunScript } from './RunScript';
import { whenCollected } from './words';

/** DeviceJobs lists what the device runs by its own clock, and the scripts that it was given to run once. */
export function DeviceJobs({ device }: { device: Detail }) {
  const { search, go } = usePlace();
  const { data, error, refetch } = useQuery(deviceJobsQuery(device.id));
  const may = useMay('scripts.run') && device.liveness.state !== 'revoked';
  const [asked, ask] = useState(false);
  const rows = [...(data?.items ?? [])].sort(
    (a, b) => Number(a.one_shot ?? false) - Number(b.one_shot ?? false) || a.job.localeCompare(b.job),
  );
  const run = may && (
    <Button
      variant="default"
      leftSection={<IconTerminal2 size={16} aria-hidden />}
      onClick={() => ask(true)}
      style={{ alignSelf: 'flex-start' }}
    >
      Run a script …
    </Button>
  );
  return (
    <Stack gap="sm">
      {rows.length > 0 && run}
      <Failure error={error} retry={() => void refetch()} />
      {!data && !error && <Skeleton h={160} />}
      {data && rows.length === 0 && (
        <Empty icon={IconCalendarClock} title="No job is meant for this device">
          A job comes to the devices that its selector fits, by their labels, or that it names.
          {run && (
            <>
              <br />
              <Group justify="center" mt="md">
                {run}
              </Group>
            </>
          )}
        </Empty>
      )}
      {rows.length > 0 && (
        <DeviceRows
          rows={rows}
          label="Jobs of the device"
          first="Job"
          name={(r) => (
            <div>
              <LinkAnchor
                to="/jobs/$job"
                params={{ job: r.job }}
                search={{ device: device.id }}
                size="sm"
                className="fs-text"
              >
                {r.job}
              </LinkAnchor>
              <Text size="xs" c="dimmed" className="fs-text">
                {r.one_shot ? 'a script, run once' : r.words}
              </Text>
            </div>
          )}
          runs={(r) => count(r.runs, 'run')}
          open={(r) => go({ job: r.job, run: r.run })}
        />
      )}
      <RunScript device={device} opened={asked} close={() => ask(false)} given={(job) => go({ job, run: undefined })} />
      <Shown device={device} job={search.job} run={search.run} close={() => go({ job: undefined, run: undefined })} />
    </Stack>
  );
}

interface ShownProps {
  device: Detail;
  job: string | undefined;
  run: number | undefined;
  close: () => void;
}

/** Shown is a run of a job on the device: the one that is asked for, or the latest, which may still have to come. */
function Shown({ device, job, run, close }: ShownProps) {
  const phone = usePhone();
  return (
    <Drawer
      opened={job !== undefined}
      onClose={close}
      position="right"
      size={phone ? '100%' : 'xl'}
      title={<span className="fs-text">{run ? `Run ${run} of ${job}` : job}</span>}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {job !== undefined &&
        (run === undefined ? (
          <Latest key={job} device={device} job={job} />
        ) : (
          <RunView key={`${job} ${run}`} of={{ job, device: device.id, run }} />
        ))}
    </Drawer>
  );
}

function Latest({ device, job }: { device: Detail; job: string }) {
  const { data, error, refetch } = useInfiniteQuery(jobRunsQuery(job, undefined, device.id));
  const first = data?.pages[0]?.items[0];
  if (first) return <RunView key={first.run} of={{ job, device: device.id, run: first.run }} />;
  if (error) return <Failure error={error} retry={() => void refetch()} />;
  return (
    <Stack gap="sm" aria-live="polite">
      <Text size="sm">The device has not begun it yet. {whenCollected(device)}</Text>
      <Skeleton h={120} />
    </Stack>
  );
}

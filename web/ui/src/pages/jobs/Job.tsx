import { Badge, Button, Group, Skeleton, Table, Tabs, Text, Title } from '@mantine/core';
import { IconCalendarClock, IconEdit, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { asProblem } from '../../api/problem';
import { May } from '../../app/May';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkButton } from '../../kit/links';
import { Page } from '../../kit/Page';
import { Since } from '../../kit/Since';
import { JobDefinition } from './JobDefinition';
import { JobDevices } from './JobDevices';
import { JobRuns } from './JobRuns';
import { act, type Job as JobOf, jobQuery, jobVersionsQuery } from './queries';
import { RunDrawer } from './RunDrawer';
import { RunNow } from './RunNow';

const tabs = ['runs', 'devices', 'definition', 'versions'] as const;

/** Job shows one job: its runs, how each device does, what it is and was. */
export function Job() {
  const { job: name } = useParams({ from: '/inside/jobs/$job' });
  const search = useSearch({ from: '/inside/jobs/$job' });
  const navigate = useNavigate({ from: '/jobs/$job' });
  const { data: job, error, refetch } = useQuery(jobQuery(name));
  const tab = tabs.find((t) => t === search.tab) ?? 'runs';
  if (!job && error && asProblem(error).status === 404) {
    return (
      <Page title="No such job">
        <Empty icon={IconCalendarClock} title={`No job is called “${name}”`}>
          It may have been removed, or its address was cut when it was sent. Scripts that ran once are kept for 7 days.
          <br />
          <LinkButton to="/jobs" mt="md">
            Show all jobs
          </LinkButton>
        </Empty>
      </Page>
    );
  }
  if (!job) {
    return (
      <Page title={name}>{error ? <Failure error={error} retry={() => void refetch()} /> : <Skeleton h={320} />}</Page>
    );
  }
  return (
    <Page
      title={job.name}
      heading={
        <Group gap="xs">
          <Title order={1} className="fs-text">
            {job.name}
          </Title>
          <Text c="dimmed">{job.one_shot ? 'run once' : `version ${job.version}`}</Text>
          {job.paused && (
            <Badge className="fs-state" variant="light" color="yellow">
              paused
            </Badge>
          )}
        </Group>
      }
      about={
        <span className="fs-text">
          {job.words}
          {!job.paused && job.next && (
            <>
              ; next <Since at={job.next} />
            </>
          )}
        </span>
      }
      actions={<Actions job={job} />}
    >
      {error ? <Failure error={error} retry={() => void refetch()} /> : null}
      <Tabs
        value={tab}
        onChange={(t) => void navigate({ search: t && t !== 'runs' ? { tab: t } : {} })}
        keepMounted={false}
      >
        <Tabs.List className="fs-tabs">
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
          <Tabs.Tab value="devices">Devices</Tabs.Tab>
          <Tabs.Tab value="definition">Definition</Tabs.Tab>
          {!job.one_shot && <Tabs.Tab value="versions">Versions</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="runs" pt="sm">
          <JobRuns job={job.name} next={job.next} />
        </Tabs.Panel>
        <Tabs.Panel value="devices" pt="sm">
          <JobDevices job={job.name} />
        </Tabs.Panel>
        <Tabs.Panel value="definition" pt="sm">
          <JobDefinition job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="versions" pt="sm">
          <Versions job={job.name} />
        </Tabs.Panel>
      </Tabs>
      <RunDrawer
        job={job.name}
        device={search.of}
        run={search.run}
        close={() => void navigate({ search: ({ of: _, run: __, ...s }) => s })}
      />
    </Page>
  );
}

function Actions({ job }: { job: JobOf }) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [removing, setRemoving] = useState(false);
  const [running, setRunning] = useState(false);
  const again = async () => {
    await cache.invalidateQueries({ queryKey: ['job', job.name] });
    void cache.invalidateQueries({ queryKey: ['jobs'] });
  };
  const pause = useMutation({
    mutationFn: () => (job.paused ? act.resume(job.name) : act.pause(job.name)),
    onSuccess: again,
  });
  return (
    <>
      <Failure error={pause.error} />
      {!job.one_shot && (
        <>
          <May operation="jobs.operate">
            <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={() => setRunning(true)}>
              Run now
            </Button>
            <Button
              variant="default"
              leftSection={
                job.paused ? <IconPlayerPlay size={16} aria-hidden /> : <IconPlayerPause size={16} aria-hidden />
              }
              loading={pause.isPending}
              onClick={() => pause.mutate()}
            >
              {job.paused ? 'Go on' : 'Pause'}
            </Button>
          </May>
          <May operation="jobs.apply">
            <LinkButton
              to="/jobs/$job/edit"
              params={{ job: job.name }}
              variant="default"
              leftSection={<IconEdit size={16} aria-hidden />}
            >
              Edit
            </LinkButton>
          </May>
        </>
      )}
      <May operation="jobs.remove">
        <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
          Remove
        </Button>
      </May>
      <RunNow job={job} opened={running} close={() => setRunning(false)} />
      <ConfirmNamed
        opened={removing}
        close={() => setRemoving(false)}
        title={`Remove ${job.name}?`}
        name={job.name}
        action="Remove the job"
        run={async () => {
          await act.remove(job.name);
          void cache.invalidateQueries({ queryKey: ['jobs'] });
          await navigate({ to: '/jobs' });
        }}
      >
        It runs on no device any more once each has heard of it. Its runs and their output are removed from the hub.
      </ConfirmNamed>
    </>
  );
}

function Versions({ job }: { job: string }) {
  const { data, error, refetch } = useQuery(jobVersionsQuery(job));
  if (!data) return error ? <Failure error={error} retry={() => void refetch()} /> : <Skeleton h={160} />;
  return (
    <Table aria-label="Versions">
      <Table.Thead>
        <Table.Tr>
          <Table.Th w={90}>Version</Table.Th>
          <Table.Th>Why</Table.Th>
          <Table.Th>By</Table.Th>
          <Table.Th w={130}>Made</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {data.items.map((v) => (
          <Table.Tr key={v.number}>
            <Table.Td>{v.number}</Table.Td>
            <Table.Td className="fs-text">{v.message || '–'}</Table.Td>
            <Table.Td className="fs-text">{v.author || '–'}</Table.Td>
            <Table.Td>
              <Since at={v.created} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

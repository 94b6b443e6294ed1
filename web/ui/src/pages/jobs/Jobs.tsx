import './jobs.css';
import { Badge, Stack as Column, Group, Paper, Skeleton, Switch, Table, Tabs, Text } from '@mantine/core';
import { IconCalendarClock, IconFilterOff, IconPlus, IconTerminal2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor, LinkButton } from '../../kit/links';
import { Page } from '../../kit/Page';
import { SearchField } from '../../kit/SearchField';
import { Since } from '../../kit/Since';
import { State } from '../../kit/State';
import { usePhone } from '../../kit/usePhone';
import { type JobRow, jobsQuery } from './queries';
import { rowsOf } from './rows';
import { Strip } from './Strip';

/** Jobs lists all jobs: when they run, and how that went; and the scripts that were run once. */
export function Jobs() {
  const search = useSearch({ from: '/inside/jobs' });
  const navigate = useNavigate({ from: '/jobs' });
  const phone = usePhone();
  return (
    <Page
      title="Jobs"
      about="Scripts that devices run by their own clock, also while they do not reach the hub"
      actions={
        <May operation="jobs.apply">
          <LinkButton to="/new-job" leftSection={<IconPlus size={16} aria-hidden />} size={phone ? 'md' : 'sm'}>
            New job
          </LinkButton>
        </May>
      }
    >
      <Tabs
        value={search.tab ?? 'jobs'}
        onChange={(t) => void navigate({ search: t === 'once' ? { tab: t } : {} })}
        keepMounted={false}
      >
        <Tabs.List className="fs-tabs">
          <Tabs.Tab value="jobs">With a schedule</Tabs.Tab>
          <Tabs.Tab value="once">Run once</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="jobs" pt="sm">
          <Scheduled />
        </Tabs.Panel>
        <Tabs.Panel value="once" pt="sm">
          <Once />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Scheduled() {
  const search = useSearch({ from: '/inside/jobs' });
  const navigate = useNavigate({ from: '/jobs' });
  const { data, error, refetch } = useQuery(jobsQuery(false));
  const phone = usePhone();
  const rows = rowsOf(data?.items ?? [], search);
  return (
    <Column gap="sm">
      <Failure error={error} retry={() => refetch()} />
      {!data && !error && <Skeleton h={240} />}
      {data?.items.length === 0 && (
        <Empty icon={IconCalendarClock} title="No jobs yet">
          A job is a script with a schedule. Devices run it by their own clock, whether or not they reach the hub, and
          tell afterwards how it went.
          <May operation="jobs.apply">
            <br />
            <LinkButton to="/new-job" mt="md">
              Make the first
            </LinkButton>
          </May>
        </Empty>
      )}
      {data && data.items.length > 0 && (
        <Group gap="md">
          <SearchField
            label="Search jobs"
            value={search.q}
            search={(q) => void navigate({ search: (s) => ({ ...s, q }), replace: true })}
            w={{ base: '100%', sm: 280 }}
          />
          <Switch
            label="Only with failures"
            checked={search.failing ?? false}
            onChange={(e) => {
              const failing = e.currentTarget.checked || undefined;
              void navigate({ search: (s) => ({ ...s, failing }) });
            }}
          />
          <Text size="sm" c="dimmed">
            {count(rows.length, 'job')}
          </Text>
        </Group>
      )}
      {data && data.items.length > 0 && rows.length === 0 && (
        <Empty icon={IconFilterOff} title="No job fits">
          Others are hidden by what is asked for above.
          <br />
          <LinkButton to="/jobs" variant="default" mt="md">
            Show all
          </LinkButton>
        </Empty>
      )}
      {rows.length > 0 && (phone ? <Cards rows={rows} /> : <List rows={rows} />)}
    </Column>
  );
}

/** Once lists the scripts that were run once, the latest first. */
function Once() {
  const phone = usePhone();
  const { data, error, refetch } = useQuery(jobsQuery(true));
  if (error && !data) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={240} />;
  if (data.items.length === 0) {
    return (
      <Empty icon={IconTerminal2} title="No script was run in the last days">
        A device’s page has a tab Jobs, on which a script is run once. What it wrote is kept for 7 days.
      </Empty>
    );
  }
  if (phone) {
    return (
      <ul className="jb-cards" aria-label="Scripts that were run once">
        {data.items.map((j) => (
          <li key={j.id} className="fs-card">
            <div className="fs-card-head">
              <Name job={j} />
              <Came job={j} />
            </div>
            <Text size="sm" className="fs-text">
              <Since at={j.updated} />
              {j.by && ` by ${j.by}`}
            </Text>
          </li>
        ))}
      </ul>
    );
  }
  return (
    <div className="fs-scroll">
      <Table highlightOnHover aria-label="Scripts that were run once">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Run</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>When</Table.Th>
            <Table.Th>By</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.items.map((j) => (
            <Table.Tr key={j.id}>
              <Table.Td>
                <Name job={j} />
              </Table.Td>
              <Table.Td>
                <Came job={j} />
              </Table.Td>
              <Table.Td>
                <Since at={j.updated} />
              </Table.Td>
              <Table.Td className="fs-text">{j.by || '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** Came says what became of a script that was run once. */
function Came({ job: { last } }: { job: JobRow }) {
  const state = (['running', 'failed', 'done'] as const).find((s) => last[s] > 0);
  return state ? <State kind="run" state={state} /> : last.other > 0 ? 'it did not run' : 'not begun';
}

function List({ rows }: { rows: readonly JobRow[] }) {
  return (
    <div className="fs-scroll">
      <Table highlightOnHover layout="fixed" miw={860} aria-label="Jobs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="20%">Name</Table.Th>
            <Table.Th>When</Table.Th>
            <Table.Th w={120}>Next</Table.Th>
            <Table.Th w={120}>Devices</Table.Th>
            <Table.Th w={180}>Last results</Table.Th>
            <Table.Th w={110}>Failing</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((j) => (
            <Table.Tr key={j.id}>
              <Table.Td>
                <Name job={j} />
              </Table.Td>
              <Table.Td>
                <Text size="sm" className="fs-text">
                  {j.words}
                </Text>
              </Table.Td>
              <Table.Td>
                <Text size="sm">{j.paused ? '–' : <Since at={j.next} />}</Text>
              </Table.Td>
              <Table.Td>
                <Devices job={j} />
              </Table.Td>
              <Table.Td>
                <Strip beats={j.strip} />
              </Table.Td>
              <Table.Td>
                <Failing job={j} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ rows }: { rows: readonly JobRow[] }) {
  return (
    <Column gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Jobs">
      {rows.map((j) => (
        <Paper key={j.id} component="li" withBorder p="sm">
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Name job={j} />
            {j.last.failed > 0 && <Failing job={j} word="failing" />}
          </Group>
          <Text size="sm" className="fs-text">
            {j.words}
            {!j.paused && j.next && (
              <>
                ; next <Since at={j.next} />
              </>
            )}
          </Text>
          <Group justify="space-between" mt={6}>
            <Strip beats={j.strip} />
            <Devices job={j} />
          </Group>
        </Paper>
      ))}
    </Column>
  );
}

function Name({ job: j }: { job: JobRow }) {
  return (
    <div style={{ minWidth: 0 }}>
      <LinkAnchor
        to="/jobs/$job"
        params={{ job: j.name }}
        fw={600}
        size="sm"
        className="fs-text"
        py={{ base: 8, sm: 0 }}
        display="inline-block"
      >
        {j.name}
      </LinkAnchor>{' '}
      {j.paused && (
        <Badge className="fs-state" variant="light" color="yellow">
          paused
        </Badge>
      )}
    </div>
  );
}

function Devices({ job: j }: { job: JobRow }) {
  return (
    <Text size="sm">
      {count(j.assigned, 'device')}
      {j.withheld > 0 && !j.paused && `, ${count(j.withheld)} not given it`}
    </Text>
  );
}

/** Failing leads to the devices on which the latest run failed. */
function Failing({ job: j, word }: { job: JobRow; word?: string }) {
  if (j.last.failed === 0) return <Text size="sm">none</Text>;
  return (
    <LinkAnchor
      to="/jobs/$job"
      params={{ job: j.name }}
      search={{ tab: 'devices', state: 'failed' }}
      size="sm"
      fw={600}
      c="var(--mantine-color-red-light-color)"
      py={{ base: 8, sm: 0 }}
    >
      {word ? `${count(j.last.failed)} ${word}` : count(j.last.failed, 'device')}
    </LinkAnchor>
  );
}

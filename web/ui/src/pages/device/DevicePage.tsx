import './device.css';
import { Badge, Stack, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useMay } from '../../app/useMay';
import { Page } from '../../kit/Page';
import { AsOf } from './AsOf';
import { CommandDrawer } from './CommandDrawer';
import { CommandStrip } from './CommandStrip';
import { Commands } from './Commands';
import { Containers } from './Containers';
import { Data } from './Data';
import { Actions, Heading, Standing } from './Heading';
import { Images } from './Images';
import { DeviceJobs } from './Jobs';
import { Networks } from './Networks';
import { Observation } from './Observation';
import { Overview } from './Overview';
import { type Tab, tabs, usePlace } from './place';
import { type Detail, snapshotQuery } from './queries';
import { Settings } from './Settings';
import { DeviceStacks } from './Stacks';
import { Timeline } from './Timeline';
import { Volumes } from './Volumes';

const names: Record<Tab, string> = {
  overview: 'Overview',
  containers: 'Containers',
  images: 'Images',
  volumes: 'Volumes',
  networks: 'Networks',
  stacks: 'Stacks',
  jobs: 'Jobs',
  commands: 'Commands',
  data: 'Data',
  timeline: 'Timeline',
  settings: 'Settings',
};

/** DevicePage is the page of a device that is there. */
export function DevicePage({ device }: { device: Detail }) {
  const { tab, go, asOf } = usePlace();
  const { data: observed } = useQuery(snapshotQuery(device.id, asOf));
  const known = observed !== undefined;
  const change = useMay('devices.change');
  const jobs = useMay('jobs.read');
  const shown = tabs.filter((t) => (t !== 'settings' || change) && (t !== 'jobs' || jobs));
  const list = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the numbers make tabs wider once they are known
  useEffect(() => {
    list.current?.querySelector(`[role="tab"][id$="-${tab}"]`)?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [tab, known]);
  const counts: Partial<Record<Tab, number>> = {
    containers: observed?.snapshot.containers?.length,
    images: observed?.snapshot.images?.length,
    volumes: observed?.snapshot.volumes?.length,
    networks: observed?.snapshot.networks?.length,
    stacks: device.stack_states.length,
    commands: device.open_commands || undefined,
  };
  return (
    <Page title={device.name} heading={<Heading device={device} />} actions={<Actions device={device} />}>
      <Stack gap="sm">
        <Standing device={device} observed={asOf ? undefined : observed} />
        <AsOf device={device} />
        <CommandStrip device={device} />
        <Tabs
          value={tab}
          onChange={(t) => go({ tab: t === 'overview' ? undefined : (t ?? undefined), q: undefined, kind: undefined })}
          keepMounted={false}
        >
          <Tabs.List className="fs-tabs" ref={list}>
            {shown.map((t) => (
              <Tabs.Tab
                key={t}
                value={t}
                rightSection={
                  counts[t] === undefined ? undefined : (
                    <Badge size="sm" variant="default" className="fs-label">
                      {counts[t]}
                    </Badge>
                  )
                }
              >
                {names[t]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="overview" pt="sm">
            <Overview device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="containers" pt="sm">
            <Observation device={device}>{(s) => <Containers device={device} snapshot={s} />}</Observation>
          </Tabs.Panel>
          <Tabs.Panel value="images" pt="sm">
            <Observation device={device}>{(s) => <Images device={device} snapshot={s} />}</Observation>
          </Tabs.Panel>
          <Tabs.Panel value="volumes" pt="sm">
            <Observation device={device}>{(s) => <Volumes device={device} snapshot={s} />}</Observation>
          </Tabs.Panel>
          <Tabs.Panel value="networks" pt="sm">
            <Observation device={device}>{(s) => <Networks snapshot={s} />}</Observation>
          </Tabs.Panel>
          <Tabs.Panel value="stacks" pt="sm">
            <DeviceStacks device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="jobs" pt="sm">
            <DeviceJobs device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="commands" pt="sm">
            <Commands device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="data" pt="sm">
            <Data device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="timeline" pt="sm">
            <Timeline device={device} />
          </Tabs.Panel>
          <Tabs.Panel value="settings" pt="sm">
            <Settings device={device} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
      <CommandDrawer device={device} />
    </Page>
  );
}

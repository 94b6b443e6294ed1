import { Alert, Badge, Group, Skeleton, Tabs, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import type { Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { stackQuery } from '../../api/queries';
import { count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { formOf, planWords } from '../../kit/rollout/plan';
import { ruleWords } from '../../kit/rollout/windows';
import { over } from '../../kit/rollout/words';
import { Since } from '../../kit/Since';
import { History } from './History';
import { NoSuchStack } from './NoSuchStack';
import { RolloutPanel } from './RolloutPanel';
import { Source, sourceQuery } from './Source';
import { StackActions } from './StackActions';
import { StackDevices } from './StackDevices';
import { StackGroups } from './StackGroups';
import { StateBar } from './StateBar';
import { reachWords, versionWords } from './words';

const StackVersions = lazy(() => import('./StackVersions').then((m) => ({ default: m.StackVersions })));
const StackFiles = lazy(() => import('./StackFiles').then((m) => ({ default: m.StackFiles })));

const tabs = ['devices', 'groups', 'versions', 'rollouts', 'files'] as const;

/** shown tells whether a rollout is above all else: while it is under way, or when it did not end well. */
function shown(r: Schemas['Rollout'] | undefined): r is Schemas['Rollout'] {
  return !!r && (!over(r.phase) || r.phase === 'failed' || (r.approve === true && !r.approved && r.phase === 'done'));
}

/** Stack shows one stack: how far it is on which device, its versions and its files. */
export function Stack() {
  const { stack: name } = useParams({ from: '/inside/stacks/$stack' });
  const search = useSearch({ from: '/inside/stacks/$stack' });
  const navigate = useNavigate({ from: '/stacks/$stack' });
  const { data: stack, error, refetch } = useQuery(stackQuery(name));
  const tab = tabs.find((t) => t === search.tab) ?? 'devices';
  const missing = !!error && asProblem(error).status === 404;
  // A source may wait for its first good commit.
  const { data: source } = useQuery({ ...sourceQuery(name), enabled: missing });
  if (missing && source) {
    return (
      <Page title={name} about="The stack is made of the first good commit.">
        <Source stack={name} />
      </Page>
    );
  }
  if (missing) return <NoSuchStack name={name} />;
  if (!stack) {
    return <Page title={name}>{error ? <Failure error={error} retry={() => refetch()} /> : <Skeleton h={320} />}</Page>;
  }
  return (
    <Page
      title={stack.name}
      heading={
        <Group gap="xs">
          <Title order={1} className="fs-text">
            {stack.name}
          </Title>
          <Text c="dimmed">{versionWords(stack)}</Text>
          {stack.removed && (
            <Badge className="fs-state" variant="light" color="orange">
              being removed
            </Badge>
          )}
        </Group>
      }
      about={
        <span className="fs-text">
          <Since at={stack.current.created} />
          {stack.current.author && ` by ${stack.current.author}`}
          {stack.current.message && `: ${stack.current.message}`}
        </span>
      }
      actions={<StackActions stack={stack} />}
    >
      {error ? <Failure error={error} retry={() => refetch()} /> : null}
      {stack.removed && (
        <Alert color="orange" p="xs" title={`Being removed${stack.removed_by ? ` by ${stack.removed_by}` : ''}`}>
          <Text size="sm">
            {count(stack.devices, 'device')} still {stack.devices === 1 ? 'has' : 'have'} to give it up; one that is
            away does so when it comes back. To take it back, edit and deploy it.
          </Text>
        </Alert>
      )}
      {stack.from_git && <Source stack={stack.name} />}
      <div>
        <Text size="sm" className="fs-text">
          <b>{count(stack.devices, 'device')}</b>. {reachWords(stack)}. {ruleWords(stack.change)}
        </Text>
        <Text size="sm" c="dimmed" className="fs-text" mb={6}>
          {planWords(formOf(stack.plan))}
        </Text>
        <StateBar states={stack.states} legend />
      </div>
      {tab !== 'rollouts' && shown(stack.rollout) && <RolloutPanel rollout={stack.rollout} />}
      {tab !== 'rollouts' && stack.next_rollout && <RolloutPanel rollout={stack.next_rollout} />}
      <Tabs
        value={tab}
        onChange={(t) => void navigate({ search: t === 'devices' || t === null ? {} : { tab: t } })}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="devices">Devices</Tabs.Tab>
          <Tabs.Tab value="groups">Groups</Tabs.Tab>
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
          <Tabs.Tab value="rollouts">Rollouts</Tabs.Tab>
          <Tabs.Tab value="files">Files</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="devices" pt="sm">
          <StackDevices stack={stack} />
        </Tabs.Panel>
        <Tabs.Panel value="groups" pt="sm">
          <StackGroups stack={stack} />
        </Tabs.Panel>
        <Tabs.Panel value="rollouts" pt="sm">
          <History stack={stack} />
        </Tabs.Panel>
        <Tabs.Panel value="versions" pt="sm">
          <Suspense fallback={<Skeleton h={200} />}>
            <StackVersions stack={stack} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="files" pt="sm">
          <Suspense fallback={<Skeleton h={300} />}>
            <StackFiles stack={stack} version={stack.version} />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

import { Anchor, Button, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconPackageImport, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { BatchBar } from '../../kit/rollout/BatchBar';
import { Phase } from '../../kit/rollout/Phase';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { updatesQuery } from './queries';
import { Releases } from './Releases';
import { StartUpdate } from './StartUpdate';

/** Updates lists updates of agent and composer, and the releases that are on the hub. */
export function Updates() {
  const { data, error, refetch } = useQuery(updatesQuery);
  const [starting, setStarting] = useState(false);
  const phone = usePhone();
  return (
    <Page
      title="Updates"
      about={data ? count(data.items.length, 'update') : 'Agent and composer on the devices'}
      actions={
        <May operation="updates.start">
          <Button leftSection={<IconPlus size={16} />} size={phone ? 'md' : 'sm'} onClick={() => setStarting(true)}>
            New update
          </Button>
        </May>
      }
    >
      <StartUpdate opened={starting} close={() => setStarting(false)} />
      <Failure error={error} retry={() => refetch()} />
      {!data && !error && <Skeleton h={200} />}
      {data?.items.length === 0 && (
        <Empty icon={IconPackageImport} title="No updates yet">
          An update brings a signed release of agent and composer to devices, in batches. A new agent that does not
          reach the hub in time gives way to the old one.
        </Empty>
      )}
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Updates">
        {data?.items.map((u) => (
          <Item key={u.id} update={u} />
        ))}
      </Stack>
      <Title order={2} size="h4" mt="md">
        Releases
      </Title>
      <Releases />
    </Page>
  );
}

function Item({ update: u }: { update: Schemas['Update'] }) {
  return (
    <Paper component="li" withBorder p="sm">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Anchor
            renderRoot={(props) => <Link to="/updates/$update" params={{ update: u.id }} {...props} />}
            fw={600}
            size="sm"
            className="fs-text"
          >
            to {u.release}
          </Anchor>
          <Phase phase={u.phase} />
        </Group>
        <Text size="sm" c="dimmed" component="div">
          <Since at={u.created} /> by {u.by}
        </Text>
      </Group>
      <Text size="sm" className="fs-text">
        {u.selector || 'all devices'}
        {u.group && ` in ${u.group}`}
      </Text>
      <BatchBar devices={u.devices} />
      {u.why && (
        <Text size="sm" c="dimmed" className="fs-text">
          {u.why}
        </Text>
      )}
    </Paper>
  );
}

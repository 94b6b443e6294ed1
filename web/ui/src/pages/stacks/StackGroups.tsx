import { Anchor, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconSitemap } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { stackGroupsQuery } from './queries';
import { StateBar } from './StateBar';

/** StackGroups shows how far a stack is in each group of devices. */
export function StackGroups({ stack }: { stack: Schemas['Stack'] }) {
  const { data, error, refetch } = useQuery(stackGroupsQuery(stack.name));
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (!data) return <Skeleton h={200} />;
  if (data.items.length === 0) {
    return (
      <Empty icon={IconSitemap} title="No group has it">
        No device is meant for this stack now, so no group has any.
      </Empty>
    );
  }
  return (
    <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Groups">
      {data.items.map((g) => (
        <li key={g.group}>
          <Group justify="space-between" gap="xs" mb={4}>
            <Anchor
              size="sm"
              className="fs-text"
              display="inline-block"
              py={{ base: 9, sm: 0 }}
              renderRoot={(props) => <Link to="/groups" search={{ path: g.group }} {...props} />}
            >
              {g.group || 'In no group'}
            </Anchor>
            <Text size="sm" c="dimmed">
              {count(g.devices, 'device')}
            </Text>
          </Group>
          <StateBar states={g.states} legend />
        </li>
      ))}
    </Stack>
  );
}

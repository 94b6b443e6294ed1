import { Anchor, Badge, Box, Button, Stack as Column, Group, Paper, Skeleton, Table, Text } from '@mantine/core';
import { IconPlus, IconStack2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { stacksQuery } from '../../api/queries';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { Phase } from '../../kit/rollout/Phase';
import { over } from '../../kit/rollout/words';
import { Since } from '../../kit/Since';
import { usePhone } from '../../kit/usePhone';
import { NewFromGit } from './NewFromGit';
import { WaitingSources } from './Source';
import { StateBar } from './StateBar';
import { reachWords } from './words';

type StackItem = Schemas['Stack'];

/** Stacks lists all stacks with how far each is. */
export function Stacks() {
  const { data, error, refetch } = useQuery(stacksQuery);
  const phone = usePhone();
  return (
    <Page
      title="Stacks"
      about={data ? count(data.items.length, 'stack') : 'What runs on which devices'}
      actions={
        <Group gap="xs">
          <NewFromGit size={phone ? 'md' : 'sm'} />
          <May operation="stacks.apply">
            <Button
              renderRoot={(props) => <Link to="/new-stack" {...props} />}
              leftSection={<IconPlus size={16} />}
              size={phone ? 'md' : 'sm'}
            >
              New stack
            </Button>
          </May>
        </Group>
      }
    >
      <Failure error={error} retry={() => refetch()} />
      <WaitingSources
        open={(stack) => (
          <Link to="/stacks/$stack" params={{ stack }}>
            {stack}
          </Link>
        )}
      />
      {!data && !error && <Skeleton h={240} />}
      {data?.items.length === 0 && (
        <Empty icon={IconStack2} title="No stacks yet">
          A stack is a Compose file for all devices that fit a selector. Devices that are away get it when they come
          back.
          <May operation="stacks.apply">
            <br />
            <Button renderRoot={(props) => <Link to="/new-stack" {...props} />} mt="md">
              Make the first
            </Button>
          </May>
        </Empty>
      )}
      {data && data.items.length > 0 && (phone ? <Cards items={data.items} /> : <List items={data.items} />)}
    </Page>
  );
}

function List({ items }: { items: readonly StackItem[] }) {
  return (
    <div className="fs-scroll">
      <Table highlightOnHover layout="fixed" miw={860} aria-label="Stacks">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="19%">Name</Table.Th>
            <Table.Th w={70}>Version</Table.Th>
            <Table.Th w="19%">Devices it is for</Table.Th>
            <Table.Th>Progress</Table.Th>
            <Table.Th w={110}>In trouble</Table.Th>
            <Table.Th w="16%">Latest version</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((s) => (
            <Table.Tr key={s.id}>
              <Table.Td>
                <Name stack={s} />
              </Table.Td>
              <Table.Td>{s.version}</Table.Td>
              <Table.Td>
                <Target stack={s} />
              </Table.Td>
              <Table.Td>
                <StateBar states={s.states} legend />
              </Table.Td>
              <Table.Td>
                <Trouble stack={s} />
              </Table.Td>
              <Table.Td>
                <Latest stack={s} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ items }: { items: readonly StackItem[] }) {
  return (
    <Column gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Stacks">
      {items.map((s) => (
        <Paper key={s.id} component="li" withBorder p="sm">
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <Name stack={s} />
            <Text size="sm" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
              version {s.version}
            </Text>
          </Group>
          <Target stack={s} />
          <Box mt={6}>
            <StateBar states={s.states} legend />
          </Box>
          <Group justify="space-between" mt={6}>
            <Latest stack={s} />
            <Trouble stack={s} />
          </Group>
        </Paper>
      ))}
    </Column>
  );
}

function Name({ stack: s }: { stack: StackItem }) {
  return (
    <div style={{ minWidth: 0 }}>
      <Anchor
        renderRoot={(props) => <Link to="/stacks/$stack" params={{ stack: s.name }} {...props} />}
        fw={600}
        size="sm"
        className="fs-text"
        py={{ base: 8, sm: 0 }}
        display="inline-block"
      >
        {s.name}
      </Anchor>{' '}
      {s.rollout && !over(s.rollout.phase) && <Phase phase={s.rollout.phase} />}
      {s.removed && (
        <Badge className="fs-state" variant="light" color="orange">
          being removed
        </Badge>
      )}
    </div>
  );
}

function Target({ stack: s }: { stack: StackItem }) {
  const words = reachWords(s);
  return (
    <Text size="sm" className="fs-text" lineClamp={2} title={words}>
      {words}
    </Text>
  );
}

function Trouble({ stack: s }: { stack: StackItem }) {
  const n = (s.states.failed ?? 0) + (s.states['rolled-back'] ?? 0) + (s.states.degraded ?? 0);
  if (n === 0) {
    return (
      <Text size="sm" visibleFrom="sm">
        none
      </Text>
    );
  }
  return (
    <Anchor
      renderRoot={(props) => (
        <Link
          to="/stacks/$stack"
          params={{ stack: s.name }}
          search={{ state: 'failed,rolled-back,degraded' }}
          {...props}
        />
      )}
      size="sm"
      c={(s.states.failed ?? 0) > 0 ? 'var(--mantine-color-red-light-color)' : undefined}
      fw={600}
      py={{ base: 8, sm: 0 }}
    >
      {count(n, 'device')}
    </Anchor>
  );
}

function Latest({ stack: s }: { stack: StackItem }) {
  return (
    <Text size="sm" component="div" className="fs-text">
      <Since at={s.current.created} />
      {s.current.author && (
        <Text component="span" size="sm" c="dimmed">
          {' '}
          by {s.current.author}
        </Text>
      )}
    </Text>
  );
}

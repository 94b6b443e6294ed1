import { Alert, Badge, Button, Group, Modal, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPlus } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { DestinationForm } from './DestinationForm';

type Destination = Schemas['AuditDestination'];

const destinationsQuery = queryOptions({
  queryKey: ['audit', 'destinations'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/audit/destinations', { signal })),
  refetchInterval: 5_000,
});

/** Destinations are where the audit trail is forwarded to, and how that stands. */
export function Destinations() {
  const cache = useQueryClient();
  const change = useMay('hub.change');
  const { data, error, refetch } = useQuery(destinationsQuery);
  const [form, setForm] = useState<{ now?: Destination }>();
  const [removing, setRemoving] = useState<Destination>();
  const fresh = () => cache.invalidateQueries({ queryKey: destinationsQuery.queryKey });
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <Title order={2} size="h3">
          Destinations
        </Title>
        {change && (
          <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setForm({})}>
            Add a destination
          </Button>
        )}
      </Group>
      <Text size="sm" c="dimmed">
        Each entry is sent there within seconds, by syslog or to a webhook. While a receiver is away its entries wait,
        and go when it is back. A copy on another machine is what nobody on this one can rewrite.
      </Text>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={60} />}
      {data?.items.length === 0 && <Text size="sm">The trail is forwarded nowhere.</Text>}
      {data && data.items.length > 0 && (
        <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Destinations">
          {data.items.map((d) => (
            <Item
              key={d.name}
              destination={d}
              edit={change ? () => setForm({ now: d }) : undefined}
              remove={() => setRemoving(d)}
            />
          ))}
        </Stack>
      )}
      <Modal
        opened={form !== undefined}
        onClose={() => setForm(undefined)}
        title={form?.now ? `Change ${form.now.name}` : 'New destination'}
        centered
      >
        {form && (
          <DestinationForm
            now={form.now}
            close={() => setForm(undefined)}
            saved={async (d) => {
              setForm(undefined);
              notifications.show({ title: `${d.name} is saved`, message: 'Send a test to see whether it arrives.' });
              await fresh();
            }}
          />
        )}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened
          close={() => setRemoving(undefined)}
          title="Remove this destination?"
          name={removing.name}
          action="Remove"
          run={async () => {
            const path = { destination: removing.name };
            await ok(api.DELETE('/api/v1/audit/destinations/{destination}', { params: { path } }));
            await fresh();
          }}
        >
          Nothing more is sent there; {count(removing.backlog, 'entry', 'entries')} that wait for it stay in the trail
          only.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

interface ItemProps {
  destination: Destination;
  /** undefined: who looks may not change it. */
  edit: (() => void) | undefined;
  remove: () => void;
}

function Item({ destination: d, edit, remove }: ItemProps) {
  const test = useMutation({
    mutationFn: () =>
      ok(api.POST('/api/v1/audit/destinations/{destination}/test', { params: { path: { destination: d.name } } })),
  });
  return (
    <Paper component="li" withBorder p="sm">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text fw={600} size="sm" className="fs-text">
            {d.name}
          </Text>
          <Badge variant="default" className="fs-label">
            {d.kind}
          </Badge>
          <Badge className="fs-state" variant="light" color={d.problem ? 'red' : d.backlog > 0 ? 'blue' : 'green'}>
            {d.problem ? 'failing' : d.backlog > 0 ? 'sending' : 'up to date'}
          </Badge>
        </Group>
        {edit && (
          <Group gap={4}>
            <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>
              Send a test
            </Button>
            <Button size="xs" variant="default" aria-label={`Change ${d.name}`} onClick={edit}>
              Change
            </Button>
            <Button size="xs" variant="subtle" color="red" aria-label={`Remove ${d.name}`} onClick={remove}>
              Remove …
            </Button>
          </Group>
        )}
      </Group>
      <Text size="sm" className="fs-text">
        {d.url}
      </Text>
      <Text size="sm" c="dimmed" component="div">
        Last sent <Since at={d.sent_at} none="not since the hub started" />;{' '}
        {count(d.backlog, 'entry waits', 'entries wait')}
        {d.lost ? `; ${count(d.lost)} lost, removed before they could be sent` : ''}
      </Text>
      {d.problem && (
        <Text size="sm" className="fs-text" component="div">
          Failing <Since at={d.failing_since} />: {d.problem}
        </Text>
      )}
      <Failure error={test.error} />
      {test.data && (
        <Alert
          mt="xs"
          p="xs"
          role="status"
          color={test.data.ok ? 'green' : 'red'}
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => test.reset()}
        >
          {test.data.ok ? 'The receiver has taken the test.' : `The test did not arrive: ${test.data.text}`}
        </Alert>
      )}
    </Paper>
  );
}

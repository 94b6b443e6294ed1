import { Alert, Badge, Button, Group, Modal, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { IconPackages, IconPlus } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { titleOf } from '../groups/tree';
import { RegistryForm } from './RegistryForm';

export type Registry = Schemas['Registry'];

const registriesQuery = queryOptions({
  queryKey: ['registries'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/registries', { signal })),
});

/** Registries are where images are from, and how they let devices in. */
export function Registries() {
  const cache = useQueryClient();
  const change = useMay('registries.change');
  const { data, error, refetch } = useQuery(registriesQuery);
  const [form, setForm] = useState<{ now?: Registry }>();
  const [removing, setRemoving] = useState<Registry>();
  const fresh = () => cache.invalidateQueries({ queryKey: registriesQuery.queryKey });
  return (
    <Stack gap="sm" maw={760}>
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={520}>
          A device with a stack whose images are from a registry is given its user and password, sealed to the device’s
          key. Of several for one address that of the nearest group counts.
        </Text>
        {change && (
          <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setForm({})}>
            Add a registry
          </Button>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={60} />}
      {data?.items.length === 0 && (
        <Empty icon={IconPackages} title="No registry asks for a password">
          Devices pull images as anybody can. For images that are not public, add their registry with a user and a
          password or token that may only pull.
        </Empty>
      )}
      {data && data.items.length > 0 && (
        <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Registries">
          {data.items.map((r) => (
            <Item
              key={r.id}
              registry={r}
              edit={change ? () => setForm({ now: r }) : undefined}
              remove={() => setRemoving(r)}
            />
          ))}
        </Stack>
      )}
      <Modal
        opened={form !== undefined}
        onClose={() => setForm(undefined)}
        title={form?.now ? `Change ${form.now.name}` : 'New registry'}
        centered
      >
        {form && (
          <RegistryForm
            now={form.now}
            close={() => setForm(undefined)}
            saved={async () => {
              setForm(undefined);
              await fresh();
            }}
          />
        )}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened
          close={() => setRemoving(undefined)}
          title="Remove this registry?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(
              api.DELETE('/api/v1/registries/{registry}', {
                params: { path: { registry: removing.id }, header: { 'If-Match': removing.etag } },
              }),
            );
            await fresh();
          }}
        >
          Devices keep the images that they have, and get no more from there. The password is gone; nobody can look it
          up.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

interface ItemProps {
  registry: Registry;
  /** undefined: who looks may not change it. */
  edit: (() => void) | undefined;
  remove: () => void;
}

function Item({ registry: r, edit, remove }: ItemProps) {
  const check = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/registries/{registry}/check', { params: { path: { registry: r.id } } })),
  });
  return (
    <Paper component="li" withBorder p="sm">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text fw={600} size="sm" className="fs-text">
            {r.name}
          </Text>
          <Badge className="fs-state" variant="light" color={r.lost ? 'red' : 'green'}>
            {r.lost ? 'password lost' : 'password set, hidden'}
          </Badge>
        </Group>
        {edit && (
          <Group gap={4}>
            <Button
              size="xs"
              variant="default"
              aria-label={`Check ${r.name}`}
              loading={check.isPending}
              onClick={() => check.mutate()}
            >
              Check
            </Button>
            <Button size="xs" variant="default" aria-label={`Change ${r.name}`} onClick={edit}>
              Change
            </Button>
            <Button size="xs" variant="subtle" color="red" aria-label={`Remove ${r.name}`} onClick={remove}>
              Remove …
            </Button>
          </Group>
        )}
      </Group>
      <Text size="sm" className="fs-text">
        {r.address} as {r.user}
      </Text>
      <Text size="sm" c="dimmed" component="div" className="fs-text">
        For devices of {titleOf(r.group)}; changed <Since at={r.updated ?? ''} />
        {r.by && ` by ${r.by}`}
        {r.note && `: ${r.note}`}
      </Text>
      {r.lost && (
        <Text size="sm">
          The hub’s secrets.key is another than the one it was sealed with: give the password again.
        </Text>
      )}
      <Failure error={check.error} />
      {check.data && (
        <Alert
          mt="xs"
          p="xs"
          role="status"
          color={check.data.ok ? 'green' : 'yellow'}
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => check.reset()}
        >
          {check.data.text}
        </Alert>
      )}
    </Paper>
  );
}

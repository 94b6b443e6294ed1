import { Alert, Button, Group, Modal, NativeSelect, Skeleton, Stack, Table, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconEyeOff, IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { CopyBlock } from '../../kit/Copy';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { RowButton } from '../../kit/RowButton';
import { Since } from '../../kit/Since';

type Token = Schemas['Token'];

const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/tokens', { signal })),
});

const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/roles', { signal })),
});

/** Tokens are what programs sign in with. */
export function Tokens() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<Token>();
  const [open, setOpen] = useState(false);
  const items = data?.items ?? [];
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={640}>
          For programs, such as the command line in a script or a build. A token has at most the rights of the account
          that made it, now and later.
        </Text>
        <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setMaking(true)}>
          New token
        </Button>
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={160} />}
      {data && items.length === 0 && (
        <Empty icon={IconKey} title="No API token">
          Make one where a program shall use this hub’s API; people sign in with their password.
        </Empty>
      )}
      {items.length > 0 && (
        <div className="fs-scroll">
          <Table aria-label="API tokens" miw={620}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Rights of</Table.Th>
                <Table.Th>Made</Table.Th>
                <Table.Th>Expires</Table.Th>
                <Table.Th>Last used</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((t) => (
                <Table.Tr key={t.id}>
                  <Table.Td className="fs-text">{t.name}</Table.Td>
                  <Table.Td className="fs-text">
                    {[t.owner, t.role && `at most ${t.role}`, ...(t.groups ?? []).map((g) => `/${g}`)]
                      .filter(Boolean)
                      .join(', ')}
                  </Table.Td>
                  <Table.Td>
                    <Since at={t.created} />
                  </Table.Td>
                  <Table.Td>
                    <Since at={t.expires} none="never" />
                  </Table.Td>
                  <Table.Td>
                    <Since at={t.last_used} none="never" />
                  </Table.Td>
                  <Table.Td ta="right">
                    <RowButton
                      label={`Remove the token ${t.name}`}
                      onClick={() => {
                        setRemoving(t);
                        setOpen(true);
                      }}
                    >
                      <IconTrash size={18} aria-hidden />
                    </RowButton>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      <Modal opened={making} onClose={() => setMaking(false)} title="New API token" centered>
        {making && <NewToken close={() => setMaking(false)} />}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened={open}
          close={() => setOpen(false)}
          title="Remove this token?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(api.DELETE('/api/v1/tokens/{token}', { params: { path: { token: removing.id } } }));
            await cache.invalidateQueries({ queryKey: tokensQuery.queryKey });
            notifications.show({ title: 'API token removed', message: removing.name });
          }}
        >
          Programs that use it are refused from now on. It cannot be brought back.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

const lives = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'one year' },
  { value: '', label: 'never' },
];

/** NewToken makes a token and shows its secret once. */
function NewToken({ close }: { close: () => void }) {
  const cache = useQueryClient();
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const [role, setRole] = useState('');
  const [groups, setGroups] = useState('');
  const { data: roles } = useQuery(rolesQuery);
  const [asked, setAsked] = useState(false);
  const make = useMutation({
    mutationFn: () =>
      ok(
        api.POST('/api/v1/tokens', {
          body: {
            name: name.trim(),
            role: role || undefined,
            groups: groups
              .split(',')
              .map((g) => g.trim())
              .filter((g) => g !== ''),
            expires: days ? new Date(Date.now() + Number(days) * 86400_000).toISOString() : undefined,
          },
        }),
      ),
    gcTime: 0, // its answer has the secret, which nothing keeps
    onSuccess: () => cache.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  if (make.data?.secret) {
    return (
      <Stack gap="sm">
        <Alert color="yellow" icon={<IconEyeOff aria-hidden />} title="Shown this once">
          Copy the token now; the hub does not keep it. Whoever has it can do what you can.
        </Alert>
        <CopyBlock text={make.data.secret} label="API token" />
        <Text size="sm">
          A program sends it as <code>Authorization: Bearer …</code>; the command line takes it by{' '}
          <code>farshore login --token</code>.
        </Text>
        <Button onClick={close}>I have copied it</Button>
      </Stack>
    );
  }
  const wrong = name.trim() === '' ? 'Say what it is for, such as ci.' : undefined;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (!wrong) make.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          size="md"
          label="Name"
          description="What it is for"
          placeholder="ci"
          data-autofocus
          maxLength={128}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          error={(asked && wrong) || asProblem(make.error ?? '').field('name')}
        />
        <NativeSelect
          size="md"
          label="Expires in"
          data={lives}
          value={days}
          onChange={(e) => setDays(e.currentTarget.value)}
        />
        <NativeSelect
          size="md"
          label="May at most what this role may"
          data={[
            { value: '', label: 'what I may' },
            ...(roles?.items ?? []).map((r) => ({ value: r.name, label: r.name })),
          ]}
          value={role}
          onChange={(e) => setRole(e.currentTarget.value)}
        />
        <TextInput
          size="md"
          label="Only in these groups"
          description="Paths with commas between them; empty: wherever you may something"
          placeholder="norway/oslo"
          value={groups}
          onChange={(e) => setGroups(e.currentTarget.value)}
        />
        <Failure error={make.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={make.isPending}>
            Make the token
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

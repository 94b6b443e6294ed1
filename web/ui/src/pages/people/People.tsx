import {
  Alert,
  Badge,
  Button,
  Checkbox,
  Group,
  Menu,
  Modal,
  Skeleton,
  Stack,
  Table,
  Text,
  TextInput,
} from '@mantine/core';
import { IconDotsVertical, IconPlus } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { CopyBlock } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';

type User = Schemas['User'];

const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/users', { signal })),
});

/** People are those who can sign in; administrators make, disable and remove them. */
export function People() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(usersQuery);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<User>();
  const [link, setLink] = useState<Schemas['InviteLink']>();
  const fresh = () => cache.invalidateQueries({ queryKey: usersQuery.queryKey });
  const change = useMutation({
    mutationFn: ({ user, body }: { user: string; body: Schemas['PatchUser'] }) =>
      ok(api.PATCH('/api/v1/users/{user}', { params: { path: { user } }, body })),
    onSettled: fresh,
  });
  const invite = useMutation({
    mutationFn: (user: string) => ok(api.POST('/api/v1/users/{user}/link', { params: { path: { user } }, body: {} })),
    gcTime: 0,
    onSuccess: setLink,
    onSettled: fresh,
  });
  const factor = useMutation({
    mutationFn: (user: string) => ok(api.DELETE('/api/v1/users/{user}/second-factor', { params: { path: { user } } })),
    onSettled: fresh,
  });
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={640}>
          A new user may do nothing until a role is granted on a group or a device: <code>farshore grants add</code>
        </Text>
        <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setAdding(true)}>
          Add a user
        </Button>
      </Group>
      <Failure error={error ?? change.error ?? invite.error ?? factor.error} retry={refetch} />
      {!data && !error && <Skeleton h={160} />}
      <div className="fs-scroll">
        <Table aria-label="Users" miw={620}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Second factor</Table.Th>
              <Table.Th>Last sign-in</Table.Th>
              <Table.Th>Teams</Table.Th>
              <Table.Th />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data?.items.map((u) => (
              <Table.Tr key={u.name}>
                <Table.Td className="fs-text">{u.name}</Table.Td>
                <Table.Td>
                  <State user={u} />
                </Table.Td>
                <Table.Td>{u.second_factor ? 'on' : u.second_factor_needed ? 'needed' : 'off'}</Table.Td>
                <Table.Td>
                  <Since at={u.last_sign_in} none="never" />
                </Table.Td>
                <Table.Td className="fs-text">{u.teams?.join(', ')}</Table.Td>
                <Table.Td ta="right">
                  {!u.break_glass && (
                    <Menu position="bottom-end">
                      <Menu.Target>
                        <Button variant="subtle" color="gray" px="xs" aria-label={`What to do with ${u.name}`}>
                          <IconDotsVertical size={18} aria-hidden />
                        </Button>
                      </Menu.Target>
                      <Menu.Dropdown>
                        <Menu.Item onClick={() => invite.mutate(u.name)}>New link, which ends the password</Menu.Item>
                        {u.second_factor && (
                          <Menu.Item onClick={() => factor.mutate(u.name)}>Take the second factor away</Menu.Item>
                        )}
                        <Menu.Item onClick={() => change.mutate({ user: u.name, body: { admin: !u.admin } })}>
                          {u.admin ? 'No administrator any more' : 'Make an administrator'}
                        </Menu.Item>
                        <Menu.Item onClick={() => change.mutate({ user: u.name, body: { disabled: !u.disabled } })}>
                          {u.disabled ? 'Enable' : 'Disable, and end sessions and tokens'}
                        </Menu.Item>
                        <Menu.Item color="red" onClick={() => setRemoving(u)}>
                          Remove
                        </Menu.Item>
                      </Menu.Dropdown>
                    </Menu>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <Modal opened={adding} onClose={() => setAdding(false)} title="Add a user" centered>
        {adding && (
          <AddUser
            made={async (l) => {
              setAdding(false);
              setLink(l);
              await fresh();
            }}
          />
        )}
      </Modal>
      <Modal opened={link !== undefined} onClose={() => setLink(undefined)} title="Link to set the password" centered>
        {link && (
          <Stack gap="sm">
            <Alert color="yellow">
              Give it to nobody else; it is shown this once, and works once and for 72 hours.
              {link.tokens > 0 && ` The user has ${link.tokens} API tokens still.`}
            </Alert>
            <CopyBlock text={link.url} label="Link" />
          </Stack>
        )}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened
          close={() => setRemoving(undefined)}
          title="Remove this user?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(api.DELETE('/api/v1/users/{user}', { params: { path: { user: removing.name } } }));
            await fresh();
          }}
        >
          Sessions, API tokens, grants and places in teams go as well.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

function State({ user }: { user: User }) {
  if (user.disabled) return <Badge color="gray">disabled</Badge>;
  if (!user.password_set) return <Badge color="yellow">{user.link_expires ? 'invited' : 'no password'}</Badge>;
  if (user.break_glass) return <Badge color="grape">last resort</Badge>;
  return <Badge color={user.admin ? 'blue' : 'green'}>{user.admin ? 'administrator' : 'active'}</Badge>;
}

/** AddUser makes a user and gives the link by which the person sets a password. */
function AddUser({ made }: { made: (link: Schemas['InviteLink'] | undefined) => Promise<void> }) {
  const [name, setName] = useState('');
  const [admin, setAdmin] = useState(false);
  const add = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/users', { body: { name: name.trim(), admin } })),
    gcTime: 0, // its answer has the link, which nothing keeps
    onSuccess: (m) => made(m.link),
  });
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim() !== '') add.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="a–z, 0–9, . _ @ -"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          maxLength={64}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <Checkbox
          label="An administrator, who may do everything on the hub"
          checked={admin}
          onChange={(e) => setAdmin(e.currentTarget.checked)}
        />
        <Failure error={add.error} />
        <Button type="submit" loading={add.isPending}>
          Add, and make a link
        </Button>
      </Stack>
    </form>
  );
}

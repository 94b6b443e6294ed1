import { Alert, Badge, Button, Checkbox, Group, Menu, Modal, Paper, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDotsVertical, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { CopyBlock } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { NameForm } from '../../kit/NameForm';
import { Since } from '../../kit/Since';
import { SignInSettings } from './SignInSettings';
import { Teams } from './Teams';
import { usersQuery } from './users';

type User = Schemas['User'];

/** People are those who can sign in, their teams, and what signing in takes. Who leads a team sees the teams alone. */
export function People() {
  const all = useMay('people.change');
  return (
    <Stack gap="xl">
      {all && <Users />}
      <Teams />
      {all && <SignInSettings />}
    </Stack>
  );
}

/** Users are made, disabled and removed by administrators. */
function Users() {
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
  const end = useMutation({
    mutationFn: (user: string) => ok(api.DELETE('/api/v1/users/{user}/sessions', { params: { path: { user } } })),
    onSuccess: (e, user) => {
      notifications.show({ message: `${user}: ${count(e.ended, 'session')} ended.` });
    },
    onSettled: fresh,
  });
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={640}>
          A new user may do nothing until a role is granted on a group or a device, under{' '}
          <LinkAnchor to="/settings" search={{ tab: 'access' }} underline="always">
            Access
          </LinkAnchor>
          .
        </Text>
        <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setAdding(true)}>
          Add a user
        </Button>
      </Group>
      <Failure error={error ?? change.error ?? invite.error ?? factor.error ?? end.error} retry={refetch} />
      {!data && !error && <Skeleton h={160} />}
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Users">
        {data?.items.map((u) => (
          <Paper key={u.name} component="li" withBorder px="sm" py="xs" aria-label={u.name}>
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <div style={{ minWidth: 0 }}>
                <Group gap="xs">
                  <Text size="sm" fw={600} className="fs-text">
                    {u.name}
                  </Text>
                  <State user={u} />
                </Group>
                <Text size="sm" c="dimmed" component="div" className="fs-text">
                  Second factor {u.second_factor ? 'on' : u.second_factor_needed ? 'needed, and not set up' : 'off'},{' '}
                  {u.last_sign_in ? (
                    <>
                      signed in <Since at={u.last_sign_in} />
                    </>
                  ) : (
                    'never signed in'
                  )}
                  , {count(u.sessions ?? 0, 'session')}
                  {u.tokens ? `, ${count(u.tokens, 'API token')}` : ''}
                  {u.teams && u.teams.length > 0 && `, in ${u.teams.join(', ')}`}
                </Text>
              </div>
              <Menu position="bottom-end">
                <Menu.Target>
                  <Button variant="subtle" color="gray" px="xs" flex="none" aria-label={`What to do with ${u.name}`}>
                    <IconDotsVertical size={18} aria-hidden />
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  <Menu.Item disabled={!u.sessions} onClick={() => end.mutate(u.name)}>
                    End all sessions
                  </Menu.Item>
                  {u.second_factor && (
                    <Menu.Item onClick={() => factor.mutate(u.name)}>Take the second factor away</Menu.Item>
                  )}
                  {!u.break_glass && (
                    <>
                      <Menu.Item onClick={() => invite.mutate(u.name)}>New link, which ends the password</Menu.Item>
                      <Menu.Item onClick={() => change.mutate({ user: u.name, body: { admin: !u.admin } })}>
                        {u.admin ? 'No administrator any more' : 'Make an administrator'}
                      </Menu.Item>
                      <Menu.Item onClick={() => change.mutate({ user: u.name, body: { disabled: !u.disabled } })}>
                        {u.disabled ? 'Enable' : 'Disable, and end sessions and tokens'}
                      </Menu.Item>
                      <Menu.Item color="red" onClick={() => setRemoving(u)}>
                        Remove …
                      </Menu.Item>
                    </>
                  )}
                </Menu.Dropdown>
              </Menu>
            </Group>
          </Paper>
        ))}
      </Stack>
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
              {link.tokens > 0 && ` The user still has ${count(link.tokens, 'API token')}.`}
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
  const [color, text] = user.disabled
    ? ['gray', 'disabled']
    : !user.password_set
      ? ['yellow', user.link_expires ? 'invited' : 'no password']
      : user.break_glass
        ? ['grape', 'last resort']
        : user.admin
          ? ['blue', 'administrator']
          : ['green', 'active'];
  return (
    <Badge className="fs-state" variant="light" color={color}>
      {text}
    </Badge>
  );
}

/** AddUser makes a user and gives the link by which the person sets a password. */
function AddUser({ made }: { made: (link: Schemas['InviteLink'] | undefined) => Promise<void> }) {
  const [admin, setAdmin] = useState(false);
  const add = useMutation({
    mutationFn: (name: string) => ok(api.POST('/api/v1/users', { body: { name, admin } })),
    gcTime: 0, // its answer has the link, which nothing keeps
    onSuccess: (m) => made(m.link),
  });
  return (
    <NameForm action="Add, and make a link" make={add}>
      <Checkbox
        label="An administrator, who may do everything on the hub"
        checked={admin}
        onChange={(e) => setAdmin(e.currentTarget.checked)}
      />
    </NameForm>
  );
}

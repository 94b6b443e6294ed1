import { Button, Group, Modal, NativeSelect, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { groupsQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { mayWords } from './mayWords';
import { teamsQuery } from './teams';
import { usersQuery } from './users';

const grantsQuery = queryOptions({
  queryKey: ['grants'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/grants', { signal })),
});

/** Access is who has which role where, and what somebody may do because of it. */
export function Access() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(grantsQuery);
  const change = useMay('access.change');
  const [adding, setAdding] = useState(false);
  const remove = useMutation({
    mutationFn: (grant: string) => ok(api.DELETE('/api/v1/grants/{grant}', { params: { path: { grant } } })),
    onSettled: () => cache.invalidateQueries({ queryKey: grantsQuery.queryKey }),
  });
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={640}>
          A role holds for its group and all that is below. Of several, each adds what it allows.
        </Text>
        {change && (
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setAdding(true)}>
            Grant a role
          </Button>
        )}
      </Group>
      <Failure error={error ?? remove.error} retry={refetch} />
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Grants">
        {data?.items.map((g) => {
          const who = g.team ? `team ${g.team}` : (g.user ?? 'granted above');
          const where = g.device ? `device ${g.device_name ?? g.device}` : `/${g.group}`;
          return (
            <Paper key={g.id ?? `${g.group} ${g.role}`} component="li" withBorder px="sm" py="xs">
              <Group justify="space-between" gap="xs" wrap="nowrap">
                <div style={{ minWidth: 0 }}>
                  <Text size="sm" className="fs-text">
                    <b>{who}</b> is {g.role} on <b>{where}</b>
                  </Text>
                  <Text size="sm" c="dimmed" component="div" className="fs-text">
                    {g.ended ? (
                      'ended'
                    ) : g.until ? (
                      <>
                        ends <Since at={g.until} />
                      </>
                    ) : (
                      'without end'
                    )}
                    {g.by && `, granted by ${g.by}`}
                    {g.note && `: ${g.note}`}
                  </Text>
                </div>
                {change && g.id && (
                  <Button
                    variant="default"
                    size="sm"
                    flex="none"
                    aria-label={`Take back: ${who}, ${g.role} on ${where}`}
                    onClick={() => g.id && remove.mutate(g.id)}
                  >
                    Take back
                  </Button>
                )}
              </Group>
            </Paper>
          );
        })}
      </Stack>
      {data?.items.length === 0 && (
        <Text size="sm">Nobody was granted a role yet; administrators may do everything.</Text>
      )}
      <Effective />
      <Modal opened={adding} onClose={() => setAdding(false)} title="Grant a role" centered>
        {adding && <NewGrant close={() => setAdding(false)} />}
      </Modal>
    </Stack>
  );
}

function useNames() {
  const { data: users } = useQuery(usersQuery);
  const { data: groups } = useQuery(groupsQuery);
  return {
    users: (users?.items ?? []).map((u) => u.name),
    groups: (groups?.items ?? []).map((g) => ({ value: `/${g.path}`, label: `/${g.path}` })),
  };
}

/** NewGrant gives a user or a team a role in a group, perhaps until a day. */
function NewGrant({ close }: { close: () => void }) {
  const cache = useQueryClient();
  const { users, groups } = useNames();
  const { data: teams } = useQuery(teamsQuery);
  const { data: roles } = useQuery({
    queryKey: ['roles'],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/roles', { signal })),
  });
  const [who, setWho] = useState('');
  const [role, setRole] = useState('operator');
  const [group, setGroup] = useState('/');
  const [until, setUntil] = useState('');
  const [note, setNote] = useState('');
  const grant = useMutation({
    mutationFn: () => {
      const name = who.slice(5);
      const body = { role, group, note, until: until ? new Date(`${until}T23:59:59`).toISOString() : undefined };
      return ok(
        api.POST('/api/v1/grants', {
          body: { ...body, ...(who.startsWith('team ') ? { team: name } : { user: name }) },
        }),
      );
    },
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: grantsQuery.queryKey });
      close();
    },
  });
  const names = [
    { value: '', label: 'choose' },
    ...(teams?.items ?? []).map((t) => ({ value: `team ${t.name}`, label: `team ${t.name}` })),
    ...users.map((u) => ({ value: `user ${u}`, label: u })),
  ];
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (who) grant.mutate();
      }}
    >
      <Stack gap="sm">
        <NativeSelect label="For" data={names} value={who} onChange={(e) => setWho(e.currentTarget.value)} />
        <NativeSelect
          label="Role"
          description={roles?.items.find((r) => r.name === role)?.says}
          data={(roles?.items ?? []).map((r) => r.name)}
          value={role}
          onChange={(e) => setRole(e.currentTarget.value)}
        />
        <NativeSelect label="In" data={groups} value={group} onChange={(e) => setGroup(e.currentTarget.value)} />
        <TextInput label="Until" type="date" value={until} onChange={(e) => setUntil(e.currentTarget.value)} />
        <TextInput label="Why" maxLength={1024} value={note} onChange={(e) => setNote(e.currentTarget.value)} />
        <Failure error={grant.error} />
        <Button type="submit" loading={grant.isPending} disabled={!who}>
          Grant
        </Button>
      </Stack>
    </form>
  );
}

/** Effective shows what somebody may do in a group, and why. */
function Effective() {
  const { users, groups } = useNames();
  const [user, setUser] = useState('');
  const [group, setGroup] = useState('/');
  const { data, error } = useQuery({
    queryKey: ['access', user, group],
    queryFn: ({ signal }) => ok(api.GET('/api/v1/access', { params: { query: { user, group } }, signal })),
    enabled: user !== '',
  });
  return (
    <Stack gap="sm">
      <Title order={2}>Effective access</Title>
      <Group align="flex-end">
        <NativeSelect
          label="Of"
          data={[{ value: '', label: 'choose' }, ...users]}
          value={user}
          onChange={(e) => setUser(e.currentTarget.value)}
        />
        <NativeSelect label="In" data={groups} value={group} onChange={(e) => setGroup(e.currentTarget.value)} />
      </Group>
      <Failure error={error} />
      {data?.reasons.length === 0 && <Text size="sm">No role: they see nothing there.</Text>}
      {data?.reasons.map((r) => (
        <Text size="sm" key={`${r.role} ${r.grant ?? ''}`}>
          <b>{r.role}</b>:{' '}
          {r.via === 'administrator'
            ? 'an administrator of the hub'
            : `granted ${r.team ? `to team ${r.team} ` : ''}on /${r.group}${r.inherited ? ', inherited' : ''}`}
        </Text>
      ))}
      {data && data.all.length > 0 && <Text size="sm">May: {mayWords(data.all)}</Text>}
      {data && data.own.length > 0 && <Text size="sm">May with what is their own or shared: {mayWords(data.own)}</Text>}
    </Stack>
  );
}

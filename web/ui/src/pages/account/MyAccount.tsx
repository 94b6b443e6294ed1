import { Badge, Button, Group, Modal, Paper, PasswordInput, Skeleton, Stack, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';
import { Since } from '../../kit/Since';
import { clientWords } from './clientWords';
import { FactorSetup, RecoveryCodes } from './FactorSetup';
import { Proof } from './Proof';

const factorQuery = queryOptions({
  queryKey: ['session', 'second-factor'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/session/second-factor', { signal })),
});

const sessionsQuery = queryOptions({
  queryKey: ['session', 'sessions'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/session/sessions', { signal })),
});

/** MyAccount is one's own password, second factor and sessions. */
export function MyAccount() {
  return (
    <Stack gap="xl" maw={860}>
      <Password />
      <SecondFactor />
      <Sessions />
    </Stack>
  );
}

function Password() {
  const cache = useQueryClient();
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const change = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/session/password', { body: { old, password } })),
    onSuccess: async () => {
      setOld('');
      setPassword('');
      setAgain('');
      notifications.show({ title: 'Password changed', message: 'Your other sessions are ended.' });
      await cache.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    },
  });
  const differ = again !== '' && again !== password ? 'This is not the same password.' : undefined;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (old !== '' && password !== '' && again === password) change.mutate();
      }}
    >
      <Stack gap="sm" maw={420}>
        <Title order={2}>Password</Title>
        <PasswordInput
          label="Present password"
          autoComplete="current-password"
          value={old}
          onChange={(e) => setOld(e.currentTarget.value)}
        />
        <PasswordInput
          label="New password"
          autoComplete="new-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
        />
        <PasswordInput
          label="The new one again"
          autoComplete="new-password"
          value={again}
          error={differ}
          onChange={(e) => setAgain(e.currentTarget.value)}
        />
        <Failure error={change.error} />
        <Group>
          <Button type="submit" loading={change.isPending}>
            Change the password
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function SecondFactor() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(factorQuery);
  const [open, setOpen] = useState<'set-up' | 'off' | 'codes'>();
  const close = async () => {
    setOpen(undefined);
    await cache.invalidateQueries({ queryKey: ['session'] });
  };
  return (
    <Stack gap="sm">
      <Title order={2}>Second factor</Title>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={60} />}
      {data && !data.on && (
        <Group>
          <Text size="sm">Off: your password alone lets you in.</Text>
          <Button variant="default" onClick={() => setOpen('set-up')}>
            Set up
          </Button>
        </Group>
      )}
      {data?.on && (
        <Group>
          <Badge className="fs-state" variant="light" color="green">
            on
          </Badge>
          <Text size="sm" component="div">
            since <Since at={data.since} />; {data.recovery_codes} recovery codes are left.
          </Text>
          <Button variant="default" onClick={() => setOpen('codes')}>
            New recovery codes
          </Button>
          <Button variant="default" color="red" onClick={() => setOpen('off')}>
            Turn off
          </Button>
        </Group>
      )}
      <Modal opened={open === 'set-up'} onClose={close} title="Set up a second factor" centered>
        {open === 'set-up' && <FactorSetup done={close} />}
      </Modal>
      <Modal opened={open === 'off'} onClose={close} title="Turn the second factor off?" centered>
        {open === 'off' && <Off done={close} />}
      </Modal>
      <Modal opened={open === 'codes'} onClose={close} title="New recovery codes" centered>
        {open === 'codes' && <NewCodes done={close} />}
      </Modal>
    </Stack>
  );
}

function Off({ done }: { done: () => Promise<void> }) {
  const off = useMutation({
    mutationFn: (password: string) => ok(api.POST('/api/v1/session/second-factor/off', { body: { password } })),
    onSuccess: done,
  });
  return (
    <Proof action="Turn off" run={off}>
      Your password alone lets you in from then on.
    </Proof>
  );
}

function NewCodes({ done }: { done: () => Promise<void> }) {
  const renew = useMutation({
    mutationFn: (password: string) =>
      ok(api.POST('/api/v1/session/second-factor/recovery-codes', { body: { password } })),
    gcTime: 0,
  });
  if (renew.data) return <RecoveryCodes codes={renew.data.codes ?? []} done={done} />;
  return (
    <Proof action="Get new codes" run={renew}>
      Those that you have are of no use any more then.
    </Proof>
  );
}

function Sessions() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(sessionsQuery);
  const fresh = () => cache.invalidateQueries({ queryKey: sessionsQuery.queryKey });
  const end = useMutation({
    mutationFn: (session: string) =>
      ok(api.DELETE('/api/v1/session/sessions/{session}', { params: { path: { session } } })),
    onSettled: fresh,
  });
  const others = useMutation({ mutationFn: () => ok(api.DELETE('/api/v1/session/sessions')), onSettled: fresh });
  const items = data?.items ?? [];
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={2}>Sessions</Title>
        {items.length > 1 && (
          <Button variant="default" loading={others.isPending} onClick={() => others.mutate()}>
            End all others
          </Button>
        )}
      </Group>
      <Failure error={error ?? end.error ?? others.error} retry={refetch} />
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Your sessions">
        {items.map((s) => (
          <Paper key={s.id} component="li" withBorder px="sm" py="xs">
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <div style={{ minWidth: 0 }}>
                <Text size="sm" className="fs-text" title={s.agent}>
                  {clientWords(s.agent)}
                  {s.remote && `, from ${s.remote}`}
                </Text>
                <Text size="sm" c="dimmed" component="div">
                  Signed in <Since at={s.created} />, last used <Since at={s.last_used} none="before the hub started" />
                </Text>
              </div>
              {s.current ? (
                <Badge className="fs-state" variant="light">
                  this one
                </Badge>
              ) : (
                <Button
                  variant="default"
                  size="sm"
                  flex="none"
                  aria-label={`End the session of ${clientWords(s.agent)}`}
                  onClick={() => end.mutate(s.id)}
                >
                  End
                </Button>
              )}
            </Group>
          </Paper>
        ))}
      </Stack>
    </Stack>
  );
}

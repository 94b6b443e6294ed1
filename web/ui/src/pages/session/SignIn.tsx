import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate, useRouteContext, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { sessionQuery } from '../../api/queries';
import { Failure } from '../../kit/Failure';
import { Frame } from './Frame';
import { inside } from './inside';

/** SignIn asks for name and password, and goes back to where one was. */
export function SignIn() {
  const { to } = useSearch({ from: '/sign-in' });
  const { cache } = useRouteContext({ from: '__root__' });
  const router = useRouter();
  const navigate = useNavigate();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const signIn = useMutation({
    mutationFn: () =>
      ok(api.POST('/api/v1/session', { body: { username, password }, params: { query: { cookie: true } } })),
    onSuccess: async () => {
      cache.removeQueries({ queryKey: sessionQuery.queryKey });
      const back = inside(to);
      if (back) router.history.push(back);
      else await navigate({ to: '/fleet' });
    },
  });
  const wrong = {
    username: asked && username === '' ? 'Give the name of your account.' : undefined,
    password: asked && password === '' ? 'Give your password.' : undefined,
  };
  return (
    <Frame title="Sign in">
      {to && !signIn.error && (
        <Alert variant="light" p="xs">
          Sign in to go on where you were.
        </Alert>
      )}
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setAsked(true);
          if (username !== '' && password !== '') signIn.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Name"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            value={username}
            error={wrong.username}
            onChange={(e) => setUsername(e.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            value={password}
            error={wrong.password}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          <Failure error={signIn.error} />
          <Button type="submit" loading={signIn.isPending} fullWidth>
            Sign in
          </Button>
        </Stack>
      </form>
      <Text size="xs" c="dimmed">
        No account yet, or the password is lost? On the hub’s machine, <code>farshore-hub admin-link</code> prints a
        link that makes an administrator.
      </Text>
    </Frame>
  );
}

import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link, useLocation, useNavigate, useRouteContext } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';
import { Frame } from './Frame';

// What the hub wants of a password.
const least = 12;

/** FirstStart makes an administrator by the one-time link that the hub printed; its secret is behind the #. */
export function FirstStart() {
  const link = useLocation({ select: (l) => l.hash });
  const { cache } = useRouteContext({ from: '__root__' });
  const navigate = useNavigate();
  const [username, setUsername] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [asked, setAsked] = useState(false);
  const make = useMutation({
    mutationFn: async () => {
      await ok(api.POST('/api/v1/session/first-admin', { body: { link, username, password } }));
      await ok(api.POST('/api/v1/session', { body: { username, password }, params: { query: { cookie: true } } }));
    },
    onSuccess: async () => {
      cache.clear();
      await navigate({ to: '/keys', replace: true });
    },
  });
  if (link === '') {
    return (
      <Frame title="First start">
        <Alert color="yellow" title="The link is not whole">
          The part behind the # is missing. Copy the whole line that the hub printed, or have it print another on its
          machine: <code>farshore-hub admin-link</code>
        </Alert>
        <Button component={Link} to="/sign-in" variant="default">
          Sign in instead
        </Button>
      </Frame>
    );
  }
  const wrong = {
    username: !/^[a-z0-9._@-]{1,64}$/.test(username) ? 'Use 1 to 64 of: a–z, 0–9, . _ @ -' : undefined,
    password:
      [...password].length < least ? `Use at least ${least} characters; these are ${[...password].length}.` : undefined,
    again: again !== password ? 'This is not the same password.' : undefined,
  };
  const right = Object.values(wrong).every((w) => !w);
  return (
    <Frame title="First start">
      <Text size="sm">Make the first administrator of this hub. The link works once, and for 5 minutes.</Text>
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setAsked(true);
          if (right) make.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Name"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            value={username}
            error={asked && wrong.username}
            onChange={(e) => setUsername(e.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            description={`At least ${least} characters; a few words in a row will do.`}
            autoComplete="new-password"
            value={password}
            error={asked && wrong.password}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          <PasswordInput
            label="The same password again"
            autoComplete="new-password"
            value={again}
            error={(asked || again.length >= password.length) && again !== '' && wrong.again}
            onChange={(e) => setAgain(e.currentTarget.value)}
          />
          <Failure error={make.error} />
          <Button type="submit" loading={make.isPending} fullWidth>
            Make the administrator
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}

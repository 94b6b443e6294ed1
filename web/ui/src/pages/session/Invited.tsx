import { Alert, Button, PasswordInput, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';
import { Frame } from './Frame';

/** Invited sets the password of an account by the link that an administrator gave; its secret is behind the #. */
export function Invited() {
  const link = useLocation({ select: (l) => l.hash });
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [asked, setAsked] = useState(false);
  const set = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/session/link', { body: { link, password } })),
  });
  if (set.data) {
    return (
      <Frame title="Welcome">
        <Text>
          The password is set. Your name is <b className="fs-text">{set.data.username}</b>.
        </Text>
        <Button component={Link} to="/sign-in">
          Sign in
        </Button>
      </Frame>
    );
  }
  if (link === '') {
    return (
      <Frame title="Welcome">
        <Alert color="yellow" title="The link is not whole">
          The part behind the # is missing. Copy the whole link, or ask for another.
        </Alert>
      </Frame>
    );
  }
  const differ = again !== password ? 'This is not the same password.' : undefined;
  return (
    <Frame title="Welcome">
      <Text size="sm">Choose a password for your account on this hub. The link works once.</Text>
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setAsked(true);
          if (password !== '' && !differ) set.mutate();
        }}
      >
        <Stack gap="sm">
          <PasswordInput
            label="Password"
            description="At least 12 characters; a few words that do not belong together will do."
            autoComplete="new-password"
            autoFocus
            value={password}
            error={asked && password === '' && 'Give a password.'}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          <PasswordInput
            label="The same password again"
            autoComplete="new-password"
            value={again}
            error={asked && differ}
            onChange={(e) => setAgain(e.currentTarget.value)}
          />
          <Failure error={set.error} />
          <Button type="submit" loading={set.isPending} fullWidth>
            Set the password
          </Button>
        </Stack>
      </form>
    </Frame>
  );
}

import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';

interface Props {
  /** The name that is there to begin with. */
  name?: string;
  done: () => void | Promise<void>;
}

/** SignInForm asks for name and password, and gets a session as a cookie, which scripts cannot read. */
export function SignInForm({ name = '', done }: Props) {
  const [username, setUsername] = useState(name);
  const [password, setPassword] = useState('');
  const [asked, setAsked] = useState(false);
  const signIn = useMutation({
    mutationFn: () =>
      ok(api.POST('/api/v1/session', { body: { username, password }, params: { query: { cookie: true } } })),
    onSuccess: done,
  });
  return (
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
          autoFocus={name === ''}
          data-autofocus={name === '' || undefined}
          value={username}
          error={asked && username === '' && 'Give the name of your account.'}
          onChange={(e) => setUsername(e.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          autoFocus={name !== ''}
          data-autofocus={name !== '' || undefined}
          value={password}
          error={asked && password === '' && 'Give your password.'}
          onChange={(e) => setPassword(e.currentTarget.value)}
        />
        <Failure error={signIn.error} />
        <Button type="submit" loading={signIn.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

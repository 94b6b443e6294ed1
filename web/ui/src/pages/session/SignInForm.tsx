import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';
import { CodeField } from '../account/FactorSetup';

interface Props {
  /** The name that is there to begin with. */
  name?: string;
  done: () => void | Promise<void>;
}

/** SignInForm asks for name and password, and gets a session as a cookie, which scripts cannot read. */
export function SignInForm({ name = '', done }: Props) {
  const [username, setUsername] = useState(name);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [asked, setAsked] = useState(false);
  const signIn = useMutation({
    mutationFn: () =>
      ok(
        api.POST('/api/v1/session', {
          body: { username, password, code: code.trim() || undefined },
          params: { query: { cookie: true } },
        }),
      ),
    onSuccess: done,
  });
  // Asked for once the password was right; from then on the field stays.
  const wanted = asProblem(signIn.error ?? '').code === 'second-factor';
  const [coded, setCoded] = useState(false);
  if (wanted && !coded) setCoded(true);
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
        {coded && <CodeField label="Code of your authenticator, or a recovery code" value={code} change={setCode} />}
        <Failure error={wanted && code === '' ? undefined : signIn.error} />
        <Button type="submit" loading={signIn.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}

import { Button, PasswordInput, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Failure } from '../../kit/Failure';

interface Props {
  /** What the button says. */
  action: string;
  /** What needs the password. */
  run: { mutate: (password: string) => void; isPending: boolean; error: unknown };
  children: ReactNode;
}

/** Proof asks for the password once more, before something that a session alone may not do. */
export function Proof({ action, run, children }: Props) {
  const [password, setPassword] = useState('');
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (password !== '') run.mutate(password);
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{children}</Text>
        <PasswordInput
          label="Your password"
          autoComplete="current-password"
          data-autofocus
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
        />
        <Failure error={run.error} />
        <Button type="submit" loading={run.isPending}>
          {action}
        </Button>
      </Stack>
    </form>
  );
}

import { Button, Stack, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Failure } from './Failure';

interface Props {
  /** What the button says. */
  action: string;
  make: { mutate: (name: string) => void; isPending: boolean; error: unknown };
  /** More fields. */
  children: ReactNode;
}

/** NameForm makes what has a name like an account's: a user, a team. */
export function NameForm({ action, make, children }: Props) {
  const [name, setName] = useState('');
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim() !== '') make.mutate(name.trim());
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
        {children}
        <Failure error={make.error} />
        <Button type="submit" loading={make.isPending}>
          {action}
        </Button>
      </Stack>
    </form>
  );
}

import { Button, Checkbox, Group, PasswordInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';
import type { Scope, Variable } from './Variables';

interface Props {
  scope: Scope;
  /** What is set now, here or further up; undefined: a new one. */
  now: Variable | undefined;
  saved: () => Promise<void>;
  close: () => void;
}

/** VariableForm sets a variable. A secret is only ever given, never shown. */
export function VariableForm({ scope, now, saved, close }: Props) {
  const [name, setName] = useState(now?.name ?? '');
  const [value, setValue] = useState(now?.value ?? '');
  const [secret, setSecret] = useState(now?.secret ?? false);
  const put = useMutation({
    mutationFn: () => {
      const header = now?.own ? { 'If-Match': now.etag } : { 'If-None-Match': '*' as const };
      const path = { variable: name.trim() };
      const body = { value, secret };
      return ok(
        'device' in scope
          ? api.PUT('/api/v1/devices/{device}/variables/{variable}', {
              params: { path: { ...path, device: scope.device }, header },
              body,
            })
          : api.PUT('/api/v1/groups/variables/{variable}', {
              params: { path, query: { path: scope.group }, header },
              body,
            }),
      );
    },
    gcTime: 0, // what it was given may have a secret, which nothing keeps
    onSuccess: saved,
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim() !== '') put.mutate();
      }}
    >
      <Stack gap="sm">
        {!now && (
          <TextInput
            label="Name"
            description="Letters, digits and _"
            placeholder="DB_PASSWORD"
            required
            maxLength={128}
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
        )}
        <Checkbox
          label="It is secret"
          description="Nobody is shown it again. Devices get it sealed to their keys, once their pairing code was compared."
          checked={secret}
          onChange={(e) => {
            setSecret(e.currentTarget.checked);
          }}
        />
        {secret ? (
          <PasswordInput
            label="Value"
            autoComplete="off"
            description={now?.secret ? 'The one that is set is replaced' : undefined}
            value={value}
            onChange={(e) => setValue(e.currentTarget.value)}
          />
        ) : (
          <Textarea
            label="Value"
            autosize
            maxRows={8}
            autoCapitalize="none"
            spellCheck={false}
            value={value}
            onChange={(e) => setValue(e.currentTarget.value)}
          />
        )}
        <Text size="xs" c="dimmed">
          Stacks whose Compose file uses it are changed on the devices.
        </Text>
        <Failure error={put.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={put.isPending} disabled={name.trim() === ''}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

import { Button, Group, PasswordInput, Stack, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';
import type { Registry } from './Registries';

interface Props {
  /** What is changed; undefined: a new one. */
  now: Registry | undefined;
  saved: () => Promise<void>;
  close: () => void;
}

/** RegistryForm asks how a registry lets devices in. A password is only ever given, never shown. */
export function RegistryForm({ now, saved, close }: Props) {
  const [name, setName] = useState(now?.name ?? '');
  const [address, setAddress] = useState(now?.address ?? '');
  const [user, setUser] = useState(now?.user ?? '');
  const [password, setPassword] = useState('');
  const [group, setGroup] = useState(now ? `/${now.group}` : '/');
  const [note, setNote] = useState(now?.note ?? '');
  const [ca, setCA] = useState(now?.ca ?? '');
  const put = useMutation({
    mutationFn: () => {
      const body = {
        name: name.trim() || undefined,
        address: address.trim(),
        user: user.trim(),
        password: password || undefined,
        group: group.trim().replace(/^\/+|\/+$/g, ''),
        note: note.trim() || undefined,
        ca: ca.trim() || undefined,
      };
      return ok(
        now
          ? api.PUT('/api/v1/registries/{registry}', {
              params: { path: { registry: now.id }, header: { 'If-Match': now.etag } },
              body,
            })
          : api.POST('/api/v1/registries', { body }),
      );
    },
    gcTime: 0, // what it was given has the password, which nothing keeps
    onSuccess: saved,
  });
  const refused = put.error ? asProblem(put.error) : undefined;
  const complete = address.trim() !== '' && user.trim() !== '' && (!!now || password !== '');
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (complete) put.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Address"
          description="Its host, with the port where it is not 443; docker.io is Docker Hub"
          placeholder="registry.example.com:5000"
          required
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          value={address}
          onChange={(e) => setAddress(e.currentTarget.value)}
        />
        <TextInput
          label="User"
          required
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          value={user}
          onChange={(e) => setUser(e.currentTarget.value)}
        />
        <PasswordInput
          label="Password or token"
          description={
            now
              ? 'Empty: the one that is set stays, for the same address'
              : 'Best one that may only pull. Nobody is shown it again'
          }
          required={!now}
          autoComplete="off"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
        />
        <TextInput
          label="Group"
          description="It is for the devices of this group and those below; / is all"
          autoCapitalize="none"
          spellCheck={false}
          value={group}
          onChange={(e) => setGroup(e.currentTarget.value)}
          error={refused?.field('group')}
        />
        <TextInput
          label="Name"
          description="Empty: its address"
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <TextInput label="Note" value={note} onChange={(e) => setNote(e.currentTarget.value)} />
        <Textarea
          label="Authority of its certificate"
          description="PEM, where it is not a public one. The hub goes by it when it checks; on each device the engine needs it in a file of its own, such as /etc/docker/certs.d/ADDRESS/ca.crt"
          autosize
          maxRows={6}
          spellCheck={false}
          value={ca}
          onChange={(e) => setCA(e.currentTarget.value)}
        />
        <Failure error={put.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={put.isPending} disabled={!complete}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

import { Button, Checkbox, Group, NativeSelect, PasswordInput, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';

type Source = Schemas['Source'];

interface Props {
  /** What is changed; undefined: a new one. */
  now?: Source;
  saved: (s: Source) => Promise<void>;
  close: () => void;
}

const intervals = [
  { value: '60', label: 'each minute' },
  { value: '300', label: 'each 5 minutes' },
  { value: '3600', label: 'each hour' },
  { value: '86400', label: 'each day' },
  { value: '0', label: 'only when asked' },
];

/** overSSH tells the addresses of repositories that are reached over SSH. */
export const overSSH = (url: string) => url.startsWith('ssh://') || /^[^/:@\s]+@[^/:\s]+:/.test(url);

/** SourceForm asks from which repository a stack shall come. Secrets are only ever given, never shown. */
export function SourceForm({ now, saved, close }: Props) {
  const [f, setForm] = useState({
    name: '',
    url: now?.url ?? '',
    ref: now?.ref ?? '',
    path: now?.path ?? '',
    user: now?.user ?? '',
    password: '',
    key: '',
    passphrase: '',
    hostKeys: now?.host_keys?.join('\n') ?? '',
    ca: now?.ca ?? '',
    interval: String(now?.interval_seconds ?? 300),
    webhook: now?.webhook ?? false,
    secret: '',
    redeploy: (now?.redeploy ?? '') as NonNullable<Source['redeploy']> | '',
    selector: '',
    group: '',
    signIn: now?.sign_in === 'password',
  });
  const set = <K extends keyof typeof f>(key: K, value: (typeof f)[K]) => setForm((was) => ({ ...was, [key]: value }));
  const ssh = overSSH(f.url.trim());
  const put = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/stacks/{stack}/source', {
          params: {
            path: { stack: now?.stack ?? f.name.trim() },
            header: now ? { 'If-Match': now.etag } : { 'If-None-Match': '*' },
          },
          body: {
            url: f.url.trim(),
            ref: f.ref.trim() || undefined,
            path: f.path.trim() || undefined,
            sign_in: ssh ? 'key' : f.signIn ? 'password' : 'none',
            user: (!ssh && f.signIn && f.user.trim()) || undefined,
            password: (!ssh && f.signIn && f.password) || undefined,
            key: (ssh && f.key) || undefined,
            passphrase: (ssh && f.key && f.passphrase) || undefined,
            host_keys: ssh ? f.hostKeys.split('\n').filter((l) => l.trim() !== '') : undefined,
            ca: (!ssh && f.ca.trim()) || undefined,
            interval_seconds: Number(f.interval),
            webhook: f.webhook,
            webhook_secret: (f.webhook && f.secret) || undefined,
            redeploy: f.redeploy || undefined,
            pull: now?.pull as Schemas['PutSource']['pull'],
            selector: now ? undefined : f.selector.trim(),
            group: now ? undefined : f.group.trim(),
          },
        }),
      ),
    gcTime: 0, // what it was given has secrets, which nothing keeps
    onSuccess: saved,
  });
  const refused = put.error ? asProblem(put.error) : undefined;
  const plain = { autoCapitalize: 'none', spellCheck: false } as const;
  const kept = now ? 'Empty: the one that is set stays' : undefined;
  const known = intervals.some((i) => i.value === f.interval);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        put.mutate();
      }}
    >
      <Stack gap="sm">
        {!now && (
          <TextInput
            {...plain}
            label="Name of the stack"
            required
            maxLength={63}
            data-autofocus
            value={f.name}
            onChange={(e) => set('name', e.currentTarget.value)}
          />
        )}
        <TextInput
          {...plain}
          label="Repository"
          description="https://, or ssh:// and USER@HOST:PATH, without a password"
          placeholder="https://git.example.com/plant/stacks.git"
          required
          value={f.url}
          onChange={(e) => set('url', e.currentTarget.value)}
        />
        {f.url.trim().toLowerCase().startsWith('http://') && (
          <Text size="xs" c="orange">
            Nothing is encrypted on the way. Use https://.
          </Text>
        )}
        <Group grow gap="sm" align="flex-start">
          <TextInput
            {...plain}
            label="Branch or tag"
            description="Empty: the main branch"
            value={f.ref}
            onChange={(e) => set('ref', e.currentTarget.value)}
          />
          <TextInput
            {...plain}
            label="Path"
            description="Folder or Compose file. Empty: all"
            value={f.path}
            onChange={(e) => set('path', e.currentTarget.value)}
          />
        </Group>
        {ssh ? (
          <>
            <Textarea
              {...plain}
              label="Private SSH key"
              description={kept}
              autosize
              minRows={2}
              maxRows={6}
              autoComplete="off"
              value={f.key}
              onChange={(e) => set('key', e.currentTarget.value)}
            />
            <PasswordInput
              label="Its passphrase"
              description="Where it has one"
              autoComplete="off"
              value={f.passphrase}
              onChange={(e) => set('passphrase', e.currentTarget.value)}
            />
            <Textarea
              {...plain}
              label="Key of the server"
              description="SHA256:…, or lines of known_hosts. Without it the hub connects to nothing, but says which key it was shown"
              autosize
              minRows={1}
              maxRows={6}
              value={f.hostKeys}
              onChange={(e) => set('hostKeys', e.currentTarget.value)}
            />
          </>
        ) : (
          <>
            <Checkbox
              label="The hub has to sign in"
              checked={f.signIn}
              onChange={(e) => set('signIn', e.currentTarget.checked)}
            />
            {f.signIn && (
              <Group grow gap="sm" align="flex-start">
                <TextInput
                  {...plain}
                  label="User"
                  value={f.user}
                  onChange={(e) => set('user', e.currentTarget.value)}
                />
                <PasswordInput
                  label="Password or token"
                  description={now?.sign_in === 'password' ? kept : undefined}
                  autoComplete="off"
                  value={f.password}
                  onChange={(e) => set('password', e.currentTarget.value)}
                />
              </Group>
            )}
            <Textarea
              {...plain}
              label="Authority"
              description="PEM, where the server's certificate is not a public one"
              autosize
              minRows={1}
              maxRows={6}
              value={f.ca}
              onChange={(e) => set('ca', e.currentTarget.value)}
            />
          </>
        )}
        {!now && (
          <Group grow gap="sm" align="flex-start">
            <TextInput
              {...plain}
              label="Devices"
              description="Selector. Empty: all"
              placeholder="site=oslo"
              value={f.selector}
              onChange={(e) => set('selector', e.currentTarget.value)}
              error={refused?.field('selector')}
            />
            <TextInput
              {...plain}
              label="Home group"
              description="Empty: the root"
              value={f.group}
              onChange={(e) => set('group', e.currentTarget.value)}
              error={refused?.field('group')}
            />
          </Group>
        )}
        <Group grow gap="sm" align="flex-start">
          <NativeSelect
            label="The hub looks"
            data={known ? intervals : [...intervals, { value: f.interval, label: `each ${f.interval} seconds` }]}
            value={f.interval}
            onChange={(e) => set('interval', e.currentTarget.value)}
          />
          <NativeSelect
            label="Devices apply again"
            data={[
              { value: '', label: 'when something changed' },
              { value: 'commits', label: 'with each commit' },
              { value: 'looks', label: 'with each look' },
            ]}
            value={f.redeploy}
            onChange={(e) => set('redeploy', e.currentTarget.value as typeof f.redeploy)}
          />
        </Group>
        <Checkbox
          label="A webhook makes the hub look too"
          checked={f.webhook}
          onChange={(e) => set('webhook', e.currentTarget.checked)}
        />
        {f.webhook && (
          <PasswordInput
            label="Secret of the webhook"
            description={now?.webhook ? kept : '16 characters or more; give its sender the same'}
            autoComplete="off"
            value={f.secret}
            onChange={(e) => set('secret', e.currentTarget.value)}
          />
        )}
        <Failure error={put.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={put.isPending}>
            {now ? 'Save' : 'Make'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

import {
  Button,
  Checkbox,
  Collapse,
  Group,
  NativeSelect,
  PasswordInput,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { Failure } from '../../kit/Failure';

type Destination = Schemas['AuditDestination'];

interface Props {
  /** What is changed; undefined: a new one. */
  now: Destination | undefined;
  saved: (d: Destination) => Promise<void>;
  close: () => void;
}

const kinds = [
  { value: 'tls', label: 'Syslog over TLS' },
  { value: 'tcp', label: 'Syslog in clear, over TCP' },
  { value: 'https', label: 'Webhook' },
];
const placeholders: Record<string, string> = {
  tls: 'log.example.com:6514',
  tcp: '192.0.2.7:514',
  https: 'in.example.com/farshore',
};

/** DestinationForm asks where the audit trail shall go. A secret is only ever given, never shown. */
export function DestinationForm({ now, saved, close }: Props) {
  const [kind, rest] = now?.url.split('://') ?? ['tls', ''];
  const [scheme, setScheme] = useState(kind ?? 'tls');
  const [address, setAddress] = useState(rest ?? '');
  const [name, setName] = useState(now?.name ?? '');
  const [header, setHeader] = useState(now?.header ?? '');
  const [secret, setSecret] = useState('');
  const [serverName, setServerName] = useState(now?.server_name ?? '');
  const [ca, setCA] = useState(now?.ca ?? '');
  const [pin, setPin] = useState(now?.pin ?? '');
  const [fromNow, setFromNow] = useState(false);
  const [trust, setTrust] = useState(!!(now?.server_name || now?.ca || now?.pin));
  const tls = scheme !== 'tcp';
  const webhook = scheme === 'https';
  const put = useMutation({
    mutationFn: () =>
      ok(
        api.PUT('/api/v1/audit/destinations/{destination}', {
          params: {
            path: { destination: name.trim() },
            header: now ? { 'If-Match': now.etag } : { 'If-None-Match': '*' },
          },
          body: {
            url: `${scheme}://${address.trim()}`,
            server_name: (tls && serverName.trim()) || undefined,
            ca: (tls && ca.trim()) || undefined,
            pin: (tls && pin.trim()) || undefined,
            header: (webhook && header.trim()) || undefined,
            secret: (webhook && secret) || undefined,
            from_now: !now && fromNow,
          },
        }),
      ),
    gcTime: 0, // what it was given has the secret, which nothing keeps
    onSuccess: saved,
  });
  const refused = put.error ? asProblem(put.error) : undefined;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim() !== '' && address.trim() !== '') put.mutate();
      }}
    >
      <Stack gap="sm">
        {!now && (
          <TextInput
            label="Name"
            description="a–z, 0–9, . _ -"
            placeholder="siem"
            required
            maxLength={63}
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
        )}
        <NativeSelect label="How" data={kinds} value={scheme} onChange={(e) => setScheme(e.currentTarget.value)} />
        {!tls && (
          <Text size="xs" c="dimmed">
            Who is on the way can read and change it. Use TLS across any network that is not yours alone.
          </Text>
        )}
        <TextInput
          label={webhook ? 'Address' : 'Host and port'}
          placeholder={placeholders[scheme]}
          leftSection={webhook ? <Text size="xs">https://</Text> : undefined}
          leftSectionWidth={webhook ? 64 : undefined}
          required
          autoCapitalize="none"
          spellCheck={false}
          value={address}
          onChange={(e) => setAddress(e.currentTarget.value.replace(/^(https|tls|tcp):\/\//, ''))}
          error={refused?.field('url')}
        />
        {webhook && (
          <>
            <PasswordInput
              label="Secret"
              description={
                now?.has_secret ? 'Empty: the one that is set stays, for the same address' : 'Signs each request'
              }
              autoComplete="off"
              value={secret}
              onChange={(e) => setSecret(e.currentTarget.value)}
              error={refused?.field('secret')}
            />
            <TextInput
              label="Header"
              description="Empty: the secret signs. Else it is sent in this header, such as Authorization"
              autoCapitalize="none"
              spellCheck={false}
              value={header}
              onChange={(e) => setHeader(e.currentTarget.value)}
              error={refused?.field('header')}
            />
          </>
        )}
        {tls && (
          <div>
            <Button size="xs" variant="subtle" px={0} aria-expanded={trust} onClick={() => setTrust(!trust)}>
              {trust ? 'Fewer fields' : 'Its certificate is not a public one'}
            </Button>
            <Collapse expanded={trust}>
              <Stack gap="sm">
                <Textarea
                  label="Authority"
                  description="PEM, in place of those of the system"
                  autosize
                  minRows={2}
                  maxRows={8}
                  spellCheck={false}
                  value={ca}
                  onChange={(e) => setCA(e.currentTarget.value)}
                  error={refused?.field('ca')}
                />
                <TextInput
                  label="Or the fingerprint of its certificate"
                  placeholder="SHA256:…"
                  spellCheck={false}
                  value={pin}
                  onChange={(e) => setPin(e.currentTarget.value)}
                  error={refused?.field('pin')}
                />
                <TextInput
                  label="Name in its certificate"
                  description="Where it is not the host"
                  spellCheck={false}
                  value={serverName}
                  onChange={(e) => setServerName(e.currentTarget.value)}
                  error={refused?.field('server_name')}
                />
              </Stack>
            </Collapse>
          </div>
        )}
        {!now && (
          <Checkbox
            label="Begin with what comes, not with all that is kept"
            checked={fromNow}
            onChange={(e) => setFromNow(e.currentTarget.checked)}
          />
        )}
        <Failure error={put.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={put.isPending}>
            {now ? 'Save' : 'Add'}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

import { Alert, Button, Code, Group, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { CopyBlock } from '../../kit/Copy';
import { Failure } from '../../kit/Failure';
import { QrCode } from '../../kit/QrCode';
import { Proof } from './Proof';

/** FactorSetup leads through setting up a second factor: scan, type the code, keep the recovery codes. */
export function FactorSetup({ done }: { done: () => void | Promise<void> }) {
  const [code, setCode] = useState('');
  const begin = useMutation({
    mutationFn: (password: string) => ok(api.POST('/api/v1/session/second-factor', { body: { password } })),
    gcTime: 0,
  });
  const confirm = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/session/second-factor/confirm', { body: { code: code.trim() } })),
    gcTime: 0, // its answer has the recovery codes, which nothing keeps
  });
  if (confirm.data) return <RecoveryCodes codes={confirm.data.codes ?? []} done={done} />;
  if (!begin.data) {
    return (
      <Proof action="Set up a second factor" run={begin}>
        You need an authenticator on your phone or computer: a program that shows a new six-digit code every 30 seconds.
      </Proof>
    );
  }
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (code.trim() !== '') confirm.mutate();
      }}
    >
      <Stack gap="sm">
        <Text size="sm">Scan this with the authenticator, or type the secret in.</Text>
        <Group justify="center">
          <QrCode text={begin.data.url} label="The secret of your second factor" size={220} />
        </Group>
        <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
          {begin.data.secret}
        </Code>
        <CodeField label="The code that it shows" value={code} change={setCode} />
        <Failure error={confirm.error} />
        <Button type="submit" loading={confirm.isPending} fullWidth>
          Confirm
        </Button>
      </Stack>
    </form>
  );
}

/** CodeField takes a code of an authenticator, or a recovery code. */
export function CodeField({ label, value, change }: { label: string; value: string; change: (v: string) => void }) {
  return (
    <TextInput
      label={label}
      autoComplete="one-time-code"
      autoCapitalize="none"
      spellCheck={false}
      autoFocus
      data-autofocus
      maxLength={32}
      value={value}
      onChange={(e) => change(e.currentTarget.value)}
    />
  );
}

/** RecoveryCodes are shown once, to be copied or printed. */
export function RecoveryCodes({ codes, done }: { codes: readonly string[]; done: () => void | Promise<void> }) {
  return (
    <Stack gap="sm">
      <Alert color="yellow" title="Recovery codes, shown this once">
        Each lets you in once without the authenticator. Print them or keep them in a safe place: without them and the
        authenticator only an administrator can let you in again.
      </Alert>
      <CopyBlock text={codes.join('\n')} label="Recovery codes" />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={() => window.print()}>
          Print
        </Button>
        <Button onClick={() => void done()}>I have kept them</Button>
      </Group>
    </Stack>
  );
}

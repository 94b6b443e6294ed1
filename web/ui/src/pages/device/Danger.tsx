import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { api, ok } from '../../api/client';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Confirm } from './Confirm';
import type { Detail } from './queries';
import { Replace } from './Replace';
import { tell } from './useGive';
import { usePatch } from './usePatch';

/** Danger is what is done to the device's place in the fleet: confirm, replace, shut out, forget. */
export function Danger({ device }: { device: Detail }) {
  const [asked, ask] = useState<'confirm' | 'replace' | 'revoke' | 'remove'>();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const patch = usePatch(device);
  const out = device.liveness.state === 'revoked';
  const params = { params: { path: { device: device.id } } };
  const close = () => ask(undefined);
  const stale = () => {
    void cache.invalidateQueries({ queryKey: ['devices'] });
    void cache.invalidateQueries({ queryKey: ['groups'] });
  };
  return (
    <Stack gap="sm">
      <Title order={2} size="h4">
        Identity and place in the fleet
      </Title>
      {!out && (
        <Line
          title={device.confirmed ? 'Its identity is confirmed' : 'Its identity is unconfirmed'}
          about={
            device.confirmed
              ? 'Take that back if you have doubts: it is given no secrets from then on.'
              : 'It is given no secret variables and no passwords of registries: stacks that need them wait. Give the pairing code that it shows.'
          }
        >
          {device.confirmed ? (
            <Button
              variant="default"
              onClick={() =>
                void patch(
                  { patch: { confirmed: false }, undo: { confirmed: true }, done: 'It is unconfirmed now.' },
                  device.etag,
                ).catch(tell)
              }
            >
              Take the confirmation back
            </Button>
          ) : (
            <Button variant="default" onClick={() => ask('confirm')}>
              Confirm its identity …
            </Button>
          )}
        </Line>
      )}
      {!out && (
        <Line
          title="Replace it by another device"
          about="An approved device takes over name, group, labels, settings and link profile. This one is shut out."
        >
          <Button variant="default" onClick={() => ask('replace')}>
            Replace …
          </Button>
        </Line>
      )}
      {!out && (
        <Line
          title="Shut it out for good"
          about="The hub never talks with it again. Its record stays, its name becomes free."
        >
          <Button variant="light" color="red" onClick={() => ask('revoke')}>
            Revoke …
          </Button>
        </Line>
      )}
      <Line
        title="Forget it"
        about="Its record, snapshots, commands and timeline go. What runs on it goes on running. If it knocks again it has to be approved again."
      >
        <Button variant="light" color="red" onClick={() => ask('remove')}>
          Remove …
        </Button>
      </Line>
      <Confirm device={device} opened={asked === 'confirm'} close={close} />
      <Replace device={device} opened={asked === 'replace'} close={close} />
      <ConfirmNamed
        opened={asked === 'revoke'}
        close={close}
        title="Shut the device out for good?"
        name={device.name}
        action="Revoke"
        run={async () => {
          await ok(api.POST('/api/v1/devices/{device}/revoke', params));
          stale();
          await cache.invalidateQueries({ queryKey: ['device', device.id] });
        }}
      >
        It can never come back with this identity, not even by an edge key. Its containers go on running, and nobody
        sees them here any more. This cannot be undone.
      </ConfirmNamed>
      <ConfirmNamed
        opened={asked === 'remove'}
        close={close}
        title="Forget the device?"
        name={device.name}
        action="Remove"
        run={async () => {
          await ok(api.DELETE('/api/v1/devices/{device}', params));
          await navigate({ to: '/fleet' });
          cache.removeQueries({ queryKey: ['device', device.id] });
          stale();
        }}
      >
        All that the hub knows of it is deleted. This cannot be undone.
      </ConfirmNamed>
    </Stack>
  );
}

function Line({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <Group justify="space-between" gap="sm">
      <div style={{ flex: '1 1 320px' }}>
        <Text size="sm" fw={500}>
          {title}
        </Text>
        <Text size="sm" c="dimmed">
          {about}
        </Text>
      </div>
      {children}
    </Group>
  );
}

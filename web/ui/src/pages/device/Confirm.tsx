import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Failure } from '../../kit/Failure';
import { normalizeCode } from '../waiting/code';
import type { Detail } from './queries';
import { usePatch } from './usePatch';

interface Props {
  device: Detail;
  opened: boolean;
  close: () => void;
}

/** Confirm asks for the pairing code of a device that was let in without it. */
export function Confirm({ device, opened, close }: Props) {
  return (
    <Modal opened={opened} onClose={close} title="Confirm the device’s identity" centered>
      <Asked device={device} close={close} />
    </Modal>
  );
}

function Asked({ device, close }: Omit<Props, 'opened'>) {
  const [typed, setTyped] = useState('');
  const patch = usePatch(device);
  const read = normalizeCode(typed);
  const send = useMutation({
    mutationFn: (code: string) =>
      patch({ patch: { pairing_code: code }, undo: { confirmed: false }, done: 'It is confirmed now.' }, device.etag),
    onSuccess: close,
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if ('code' in read) send.mutate(read.code);
      }}
    >
      <Stack gap="sm">
        <Text size="sm">
          The code proves that this is the machine you mean, and nobody else’s with its name. From then on it is given
          the secrets of its stacks, sealed to its key.
        </Text>
        <TextInput
          label="Pairing code, as the device shows it"
          description="On the device: farshore-agent status"
          placeholder="7ZK4-M0QD"
          autoCapitalize="characters"
          autoComplete="off"
          spellCheck={false}
          data-autofocus
          required
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          error={typed.replace(/[\s-]/g, '').length >= 8 && 'wrong' in read && read.wrong}
        />
        <Failure error={send.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={send.isPending} disabled={!('code' in read)}>
            Confirm
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

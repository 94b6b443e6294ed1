import { Button, Group, Modal, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { bytes } from '../../kit/bytes';
import { amountOf, wrongAmount } from '../../kit/data/amount';
import { Failure } from '../../kit/Failure';
import { dateOf, exact } from '../../kit/time';
import { backWords } from './liftWords';
import type { Detail } from './queries';

type Usage = Schemas['DeviceUsage'];

interface Props {
  device: Detail;
  usage: Usage;
  /** Something was added to this cycle before. */
  lifted: boolean;
  opened: boolean;
  close: () => void;
}

/** Lift adds to the caps of the device's present cycle, or takes back what was added. */
export function Lift(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.close} title={`Lift the caps of ${props.device.name}`} centered>
      {props.opened && <Asked {...props} />}
    </Modal>
  );
}

const path = '/api/v1/devices/{device}/lift';

function Asked({ device, usage: u, lifted, close }: Props) {
  const cache = useQueryClient();
  const params = { path: { device: device.id } };
  const [extra, setExtra] = useState('');
  const [note, setNote] = useState('');
  const done = async (message: string) => {
    await cache.invalidateQueries({ queryKey: ['device', device.id] });
    void cache.invalidateQueries({ queryKey: ['usage'] });
    close();
    notifications.show({ message });
  };
  const lift = useMutation({
    mutationFn: (n: number) =>
      ok(api.POST(path, { params, body: { extra: n, ...(note.trim() && { note: note.trim() }) } })),
    onSuccess: (_, n) => done(`${device.name} may spend ${bytes(n)} more in this cycle, once it has been told.`),
  });
  const [back, setBack] = useState(false);
  const n = amountOf(extra);
  const end = dateOf(u.cycle.end);
  if (back) return <Back device={device} done={done} keep={() => setBack(false)} />;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (n) lift.mutate(n);
      }}
    >
      <Stack gap="sm">
        <Text size="sm">
          Both caps are higher by what is added, until the cycle ends{end && ` at ${exact(end)}`}. A device that is
          silent learns of it when it is in contact next: with its daily ping, or when somebody there opens contact.
        </Text>
        <TextInput
          label="More in this cycle"
          placeholder="5 MB"
          data-autofocus
          value={extra}
          onChange={(e) => setExtra(e.currentTarget.value)}
          error={wrongAmount(extra)}
          description={n && u.caps.hard ? `Then the hard cap is ${bytes(u.caps.hard + n)}` : undefined}
        />
        <TextInput
          label="Why"
          maxLength={200}
          description="Shown with the device, and in the audit trail"
          value={note}
          onChange={(e) => setNote(e.currentTarget.value)}
        />
        <Failure error={lift.error} />
        <Group justify="space-between" gap="xs">
          {lifted && (
            <Button variant="subtle" color="red" px={0} onClick={() => setBack(true)}>
              Take back what was added
            </Button>
          )}
          <Group gap="xs" ml="auto">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={lift.isPending} disabled={!n}>
              Lift
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

interface BackProps {
  device: Detail;
  done: (message: string) => Promise<void>;
  keep: () => void;
}

/** Back says what follows from taking back what was added, before it is done. */
function Back({ device, done, keep }: BackProps) {
  const params = { path: { device: device.id } };
  const check = useQuery({
    // Asking is in the audit trail: once for each time that somebody wants to know.
    queryKey: ['lift', 'check', device.id],
    queryFn: ({ signal }) => ok(api.DELETE(path, { params: { ...params, query: { check: true } }, signal })),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const back = useMutation({
    mutationFn: () => ok(api.DELETE(path, { params })),
    onSuccess: () => done('What was added to the caps is taken back.'),
  });
  const d = check.data;
  const none = d?.extra === 0;
  return (
    <Stack gap="sm">
      {!d && !check.error && <Skeleton h={60} />}
      {d && (
        <Text size="sm" aria-live="polite">
          {none ? 'Nothing was added to this cycle.' : backWords(d, device.name)}
        </Text>
      )}
      <Failure error={back.error ?? check.error} />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={keep} data-autofocus>
          Keep it
        </Button>
        <Button color="red" disabled={!d || none} loading={back.isPending} onClick={() => back.mutate()}>
          {d?.silences ? 'Take it back and silence the device' : 'Take it back'}
        </Button>
      </Group>
    </Stack>
  );
}

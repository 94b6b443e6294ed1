import { Button, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { count } from '../../kit/bytes';
import { DevicesField } from '../../kit/DevicesField';
import { Failure } from '../../kit/Failure';
import { act, type Job } from './queries';

interface Props {
  job: Job;
  opened: boolean;
  close: () => void;
}

type Way = 'devices' | 'selector' | 'all';

/** RunNow asks devices of a job to run it, apart from its schedule. */
export function RunNow(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.close} title={`Run ${props.job.name} now`} centered>
      {props.opened && <Asked {...props} />}
    </Modal>
  );
}

function Asked({ job, close }: Props) {
  const cache = useQueryClient();
  const few = Object.entries(job.device_names ?? {}).map(([id, name]) => ({ id, name }));
  const only = job.assigned === 1 && few.length === 1;
  const [way, setWay] = useState<Way>(job.assigned === 1 ? 'all' : 'devices');
  const [devices, setDevices] = useState<readonly string[]>([]);
  const [selector, setSelector] = useState('');
  const [note, setNote] = useState('');
  const run = useMutation({
    mutationFn: () =>
      act.run(job.name, {
        ...(way === 'all' && { all: true }),
        ...(way === 'devices' && { devices: [...devices] }),
        ...(way === 'selector' && { selector: selector.trim() }),
        ...(note.trim() && { note: note.trim() }),
      }),
    onSuccess: (g) => {
      void cache.invalidateQueries({ queryKey: ['job', job.name] });
      const [first] = g.skipped;
      if (g.given > 0)
        notifications.show({ message: `${count(g.given, 'device')} asked. Each runs it when it has heard.` });
      if (first)
        notifications.show({
          color: 'yellow',
          message: `${count(g.skipped.length, 'device')} not asked: ${first.why}`,
          autoClose: 12_000,
        });
      close();
    },
  });
  const ready = { all: true, devices: devices.length > 0, selector: selector.trim() !== '' }[way];
  const all = only && few[0] ? `On ${few[0].name}, its one device` : `On all its devices, ${count(job.assigned)} now`;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) run.mutate();
      }}
    >
      <Stack gap="sm">
        <Radio.Group aria-label="On which devices" value={way} onChange={(v) => setWay(v as Way)}>
          <Stack gap={8}>
            <Radio value="devices" label="On devices by name" />
            <Radio value="selector" label="On those of its devices with labels" />
            <Radio value="all" label={all} />
          </Stack>
        </Radio.Group>
        {way === 'devices' && <DevicesField label="Devices" value={devices} change={setDevices} known={few} />}
        {way === 'selector' && (
          <TextInput
            label="Selector"
            placeholder="site=oslo"
            classNames={{ input: 'fs-code' }}
            maxLength={2000}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            value={selector}
            onChange={(e) => setSelector(e.currentTarget.value)}
          />
        )}
        <TextInput
          label="Why"
          description="For the audit trail"
          maxLength={1024}
          autoComplete="off"
          value={note}
          onChange={(e) => setNote(e.currentTarget.value)}
        />
        <Text size="sm" c="dimmed">
          It runs beside the schedule. A device that does not hear of it within a day does not run it.
        </Text>
        <Failure error={run.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={run.isPending} disabled={!ready}>
            Run now
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

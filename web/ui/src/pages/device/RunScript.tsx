import '../jobs/jobs.css';
import { Alert, Button, Group, Modal, NativeSelect, Stack, TextInput } from '@mantine/core';
import { IconEye } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useMay } from '../../app/useMay';
import { Failure } from '../../kit/Failure';
import { usePhone } from '../../kit/usePhone';
import { newWork, workOf, wrongWork } from '../jobs/definition';
import { act, deviceJobsQuery } from '../jobs/queries';
import { refusedOf } from '../jobs/refused';
import { WorkFields } from '../jobs/WorkFields';
import type { Detail } from './queries';

interface Props {
  device: Detail;
  opened: boolean;
  close: () => void;
  /** Called with the job that was made of the script. */
  given: (job: string) => void;
}

/** RunScript asks for a script that the device runs once. */
export function RunScript(props: Props) {
  const phone = usePhone();
  return (
    <Modal
      opened={props.opened}
      onClose={props.close}
      title={`Run a script on ${props.device.name}`}
      size="xl"
      fullScreen={phone}
      centered
    >
      {props.opened && <Asked {...props} />}
    </Modal>
  );
}

const none = { env: [], secrets: [] };
const waits = [
  { value: '300', label: '5 minutes' },
  { value: '900', label: '15 minutes' },
  { value: '3600', label: 'an hour' },
  { value: '86400', label: 'a day' },
];

function Asked({ device, close, given }: Props) {
  const cache = useQueryClient();
  const host = useMay('jobs.host');
  const [f, setForm] = useState(() => newWork(host ? 'host' : 'container'));
  const [limit, setLimit] = useState('60');
  const [wait, setWait] = useState('900');
  const [asked, setAsked] = useState(false);
  const own = wrongWork(f, none);
  const minutes = Number(limit);
  const late =
    limit.trim() !== '' && minutes >= 1 / 60 && minutes <= 43_200 ? undefined : 'Type minutes, up to 43,200.';
  const run = useMutation({
    mutationFn: () =>
      act.script(device.id, {
        ...workOf(f),
        timeout_seconds: Math.round(minutes * 60),
        wait_seconds: Number(wait),
      }),
    gcTime: 0, // what it was given may have secrets, which nothing keeps
    onSuccess: ({ job }) => {
      void cache.invalidateQueries({ queryKey: deviceJobsQuery(device.id).queryKey });
      void cache.invalidateQueries({ queryKey: ['jobs'] });
      close();
      given(job);
    },
  });
  const wrong = asked ? { ...refusedOf(run.error).fields, ...own } : {};
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (Object.keys(own).length === 0 && !late) run.mutate();
      }}
    >
      <Stack gap="sm">
        <WorkFields
          form={f}
          set={(part) => {
            if (run.isError) run.reset(); // what it said is of what was typed before
            setForm((now) => ({ ...now, ...part }));
          }}
          wrong={wrong}
        />
        <div className="jb-fields">
          <TextInput
            label="Time limit (min)"
            inputMode="decimal"
            value={limit}
            error={asked && late}
            onChange={(e) => setLimit(e.currentTarget.value)}
          />
          <NativeSelect
            label="To begin within"
            value={wait}
            onChange={(e) => setWait(e.currentTarget.value)}
            data={waits}
          />
        </div>
        <Alert color="blue" p="xs" icon={<IconEye aria-hidden />}>
          The audit trail keeps that you ran a script here, its size and its hash, not its text. What it writes is sent
          to the hub and kept for 7 days.
        </Alert>
        <Failure error={run.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={run.isPending}>
            Run it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

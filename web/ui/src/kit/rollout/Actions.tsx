import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Failure } from '../Failure';
import { usePhone } from '../usePhone';
import { type Action, type Course, possible } from './words';

interface Props {
  course: Course;
  /** Which of what is possible the signed-in may do. */
  may: (action: Action) => boolean;
  run: (action: Action) => Promise<unknown>;
  /** What becomes of devices when it is aborted. */
  aborting: string;
}

const labels: Record<Action, string> = {
  approve: 'Approve',
  continue: 'Go on',
  pause: 'Pause',
  skip: 'Skip batch',
  retry: 'Retry failed',
  abort: 'Abort …',
};

/** Actions are what can be asked of a rollout or an update in its phase. Ending one is asked twice. */
export function Actions({ course, may, run, aborting }: Props) {
  const size = usePhone() ? 'md' : 'sm';
  const [asked, setAsked] = useState(false);
  const act = useMutation({ mutationFn: run, onSuccess: () => setAsked(false) });
  const close = () => {
    setAsked(false);
    act.reset();
  };
  return (
    <Stack gap={0} align="flex-end">
      <Group gap="xs">
        {possible(course)
          .filter(may)
          .map((action, i) => (
            <Button
              key={action}
              size={size}
              variant={i === 0 && action !== 'abort' ? 'filled' : 'default'}
              loading={act.isPending && act.variables === action}
              onClick={() => (action === 'abort' ? setAsked(true) : act.mutate(action))}
            >
              {labels[action]}
            </Button>
          ))}
      </Group>
      {!asked && <Failure error={act.error} />}
      <Modal opened={asked} onClose={close} title="Abort it?" centered>
        <Text size="sm">{aborting}</Text>
        <Failure error={act.error} />
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button color="red" loading={act.isPending} onClick={() => act.mutate('abort')}>
            Abort
          </Button>
        </Group>
      </Modal>
    </Stack>
  );
}

import { Button, Checkbox, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { stackQuery, stacksQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { PlanFields } from '../../kit/rollout/PlanFields';
import { formOf, planOf, wrongPlan } from '../../kit/rollout/plan';
import { over } from '../../kit/rollout/words';
import { usePhone } from '../../kit/usePhone';
import { type During, UnderWay } from './UnderWay';

interface Props {
  stack: Schemas['Stack'];
  /** The version that devices shall have. */
  version: number;
  close: () => void;
}

/** DeployDialog brings a version that is kept to the devices of its stack, or the same one again. */
export function DeployDialog({ stack, version, close }: Props) {
  const phone = usePhone();
  return (
    <Modal
      opened
      onClose={close}
      title={`Deploy version ${version} of ${stack.name}`}
      size="lg"
      fullScreen={phone}
      centered
    >
      <Asked stack={stack} version={version} close={close} />
    </Modal>
  );
}

function Asked({ stack, version, close }: Props) {
  const cache = useQueryClient();
  const navigate = useNavigate();
  const applies = useMay('stacks.apply');
  const [own, setOwn] = useState(false);
  const [plan, setPlan] = useState(() => formOf(stack.plan));
  const [during, setDuring] = useState<During>('');
  const [begin, setBegin] = useState('');
  const [message, setMessage] = useState('');
  const active = stack.rollout && !over(stack.rollout.phase) ? stack.rollout : undefined;
  // Where another version is on its way, going back is meant for those that have got it.
  const [force, setForce] = useState(stack.deployed === version && (!active || active.version === version));
  const deploy = useMutation({
    mutationFn: () =>
      ok(
        api.POST('/api/v1/stacks/{stack}/deploy', {
          params: { path: { stack: stack.name } },
          body: {
            version,
            ...(force && { force: true }),
            ...(own && { plan: planOf(plan) }),
            ...(during && { during }),
            ...(begin && { begin: new Date(begin).toISOString() }),
            ...(message.trim() && { message: message.trim() }),
          },
        }),
      ),
    onSuccess: async (r) => {
      void cache.invalidateQueries({ queryKey: stacksQuery.queryKey });
      void cache.invalidateQueries({ queryKey: ['rollouts'] });
      await cache.invalidateQueries({ queryKey: stackQuery(stack.name).queryKey });
      close();
      notifications.show({
        message: r.queued
          ? `Rollout ${r.number} of ${stack.name} begins when the one before it is over.`
          : `Rollout ${r.number}: version ${version} of ${stack.name} goes to its devices.`,
      });
      await navigate({ to: '/stacks/$stack', params: { stack: stack.name } });
    },
  });
  const refused = deploy.error && asProblem(deploy.error).code === 'rollout-under-way';
  const asks = active !== undefined || refused;
  return (
    <Stack gap="sm">
      <Text size="sm">
        {count(stack.devices, 'device')} shall have version {version}, with the files and variables that it had. Devices
        that are away follow when they come back.
      </Text>
      <Checkbox
        label="Devices that have it already apply it again"
        description="Images are asked for by its pull policy, and containers are made anew where they are not as they should be."
        checked={force}
        onChange={(e) => setForce(e.currentTarget.checked)}
      />
      <Radio.Group
        aria-label="In which steps it goes"
        value={own ? 'own' : 'stack'}
        onChange={(v) => setOwn(v === 'own')}
      >
        <Stack gap={6}>
          <Radio value="stack" label="As the stack’s plan says" description={stack.words} />
          {applies && <Radio value="own" label="With another plan, for this once" />}
        </Stack>
      </Radio.Group>
      {own && <PlanFields form={plan} set={(change) => setPlan({ ...plan, ...change })} order="words" />}
      {asks && <UnderWay rollout={active} value={during} change={setDuring} />}
      <TextInput
        label="Begin"
        description="Empty: at once"
        type="datetime-local"
        value={begin}
        onChange={(e) => setBegin(e.currentTarget.value)}
        maw={260}
      />
      <TextInput
        label="Message"
        description="Why; shown with the rollout"
        maxLength={1024}
        value={message}
        onChange={(e) => setMessage(e.currentTarget.value)}
      />
      {!refused && <Failure error={deploy.error} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button
          onClick={() => deploy.mutate()}
          loading={deploy.isPending}
          disabled={(asks && during === '') || (own && Object.keys(wrongPlan(plan)).length > 0)}
        >
          Deploy version {version}
        </Button>
      </Group>
    </Stack>
  );
}

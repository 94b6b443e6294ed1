import { Alert, Button, Group, Stack, TextInput } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { type ReactNode, useState } from 'react';
import { asProblem } from '../../api/problem';
import { count } from '../../kit/bytes';
import { Failure } from '../../kit/Failure';
import { labelText, parseLabels } from '../../kit/labels';
import { GroupField, ProfileField, wrongGroup } from '../../kit/PlaceFields';
import { normalizeCode } from './code';
import { type Approval, nameOf, type Outcome, useApprove, type Waiter } from './decide';
import { useEnrolment } from './useEnrolment';

interface Props {
  /** One device, or many that get the same. */
  devices: readonly Waiter[];
  /** The pairing code, where it came from the device: the approval is confirmed. */
  code?: string;
  done: (outcomes: Outcome[], confirmed: boolean) => void;
  cancel?: () => void;
}

/** ApproveForm lets devices in, with what they are given. */
export function ApproveForm({ devices, code, done, cancel }: Props) {
  const one = devices.length === 1 ? devices[0] : undefined;
  const enrolment = useEnrolment();
  const key = one && enrolment(one);
  const [typed, setTyped] = useState({ code: '', name: '', group: '', labels: '', profile: '' });
  const [asked, setAsked] = useState(false);
  const approve = useApprove();
  const refused = approve.error ? asProblem(approve.error) : undefined;
  const set = (field: keyof typeof typed) => (text: string) => setTyped((t) => ({ ...t, [field]: text }));
  const compared = code ?? (typed.code.trim() ? typed.code : undefined);
  const labels = parseLabels(typed.labels);
  const wrong = {
    code: one && compared && !code ? wrongCode(compared, one) : undefined,
    group: wrongGroup(typed.group),
    labels: 'wrong' in labels ? labels.wrong : undefined,
  };
  const submit = async () => {
    setAsked(true);
    if ('wrong' in labels || wrong.code || wrong.group) return;
    const given: Approval = {
      name: typed.name.trim() || undefined,
      group: typed.group.trim() || undefined,
      profile: typed.profile || undefined,
      labels: labels.labels,
    };
    const outcomes = await approve.mutateAsync(
      devices.map((d) => ({ ...given, id: d.id, code: one ? compared : undefined })),
    );
    done(outcomes, !!compared || !!key?.single_device);
  };
  const confirmed = !!compared;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        submit().catch(() => undefined); // shown below
      }}
    >
      <Stack gap="sm">
        {one && !code && (
          <TextInput
            size="lg"
            label="Pairing code, as the device shows it"
            description="On its screen, its own page, or by farshore-agent status"
            placeholder="Not compared"
            value={typed.code}
            onChange={(e) => set('code')(e.currentTarget.value)}
            error={(asked || typed.code.replace(/[\s-]/g, '').length >= 8) && wrong.code}
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', letterSpacing: '0.06em' } }}
          />
        )}
        {!confirmed && (
          <Alert color="yellow" p="xs" icon={<IconInfoCircle aria-hidden />}>
            {one
              ? 'You did not compare the code. Without it nobody knows that this device is the one you mean; it will be shown as unconfirmed.'
              : `The codes of these ${count(devices.length, 'device')} are not compared: they will be shown as unconfirmed.`}
          </Alert>
        )}
        {one && (
          <TextInput
            size="md"
            label="Name"
            description={`Empty: ${key?.device_name || nameOf(one)}${key?.device_name ? ', as the edge key says' : ', as it calls itself'}`}
            value={typed.name}
            onChange={(e) => set('name')(e.currentTarget.value)}
            error={refused?.field('approvals.name')}
            maxLength={128}
            spellCheck={false}
          />
        )}
        <GroupField
          size="md"
          description={`Empty: ${key ? key.group || 'none, below the root' : 'that of each edge key'}. A new name makes a group.`}
          value={typed.group}
          onChange={set('group')}
          error={wrong.group ?? refused?.field('approvals.group')}
        />
        <TextInput
          size="md"
          label="Labels"
          description={`Such as line=3, site=oslo. ${key?.labels ? `Beside those of the edge key: ${labelText(key.labels)}` : ''}`}
          value={typed.labels}
          onChange={(e) => set('labels')(e.currentTarget.value)}
          error={asked && (wrong.labels ?? refused?.field('approvals.labels'))}
          autoCapitalize="none"
          spellCheck={false}
        />
        <ProfileField
          size="md"
          none="that of the group"
          value={typed.profile}
          onChange={(e) => set('profile')(e.currentTarget.value)}
        />
        <Failure error={approve.error} />
        <Group justify="flex-end" gap="xs">
          {cancel && (
            <Button variant="default" size="md" onClick={cancel}>
              Cancel
            </Button>
          )}
          <Button type="submit" size="md" loading={approve.isPending} flex={{ base: 1, sm: 'initial' }}>
            {submitWord(devices.length, confirmed)}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function submitWord(n: number, confirmed: boolean): ReactNode {
  if (n > 1) return `Approve ${count(n, 'device')}`;
  return confirmed ? 'Approve' : 'Approve without the code';
}

function wrongCode(typed: string, device: Waiter): string | undefined {
  const read = normalizeCode(typed);
  if ('wrong' in read) return read.wrong;
  return read.code === device.pairing_code
    ? undefined
    : 'This is not the code of this device. Look again; if the device shows this code, it is another device: find it by its code.';
}

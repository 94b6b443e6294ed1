import { Button, CloseButton, Group, Menu, Modal, Paper, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconChevronDown } from '@tabler/icons-react';
import { type ReactNode, useState } from 'react';
import { useMay } from '../../app/useMay';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { CommandForm, ConfirmForm, GroupForm, LabelsForm, ProfileForm } from './BulkForms';
import type { Filter } from './filter';
import { Outcomes } from './Outcomes';
import type { BulkDo, BulkResult } from './queries';
import { nothing, type Selection, sizeOf } from './selection';
import { useBulk } from './useBulk';

interface Props {
  selection: Selection;
  select: (next: (now: Selection) => Selection) => void;
  filter: Filter;
  total: number;
  /** false: total is of another filter still. */
  settled: boolean;
}

type Deed = 'labels' | 'group' | 'profile' | 'command' | 'confirm' | 'revoke' | 'remove';

/** BulkBar does things to all devices that are selected. */
export function BulkBar({ selection, select, filter, total, settled }: Props) {
  const change = useMay('devices.change');
  const [deed, setDeed] = useState<Deed>();
  const [outcome, setOutcome] = useState<{ result: BulkResult; past: string }>();
  const bulk = useBulk(selection, filter, total);
  const n = sizeOf(selection, total);
  const many = count(n, 'device');
  const close = () => {
    setDeed(undefined);
    bulk.reset();
  };
  /** run does it and tells what became of it; past says what was done to a device. */
  const run = async (what: BulkDo, past: string) => {
    const result = await bulk.mutateAsync(what);
    close();
    if (result.failed > 0) setOutcome({ result, past });
    else notifications.show({ message: `${count(result.done, 'device')} ${past}.` });
    if (what.revoke || what.remove) select(() => nothing);
  };
  const form = { many, run, error: bulk.error, busy: bulk.isPending };
  const forms: Partial<Record<Deed, { title: string; form: ReactNode }>> = {
    labels: { title: `Labels of ${many}`, form: <LabelsForm {...form} /> },
    group: { title: `Move ${many} to a group`, form: <GroupForm {...form} /> },
    profile: { title: `Link profile of ${many}`, form: <ProfileForm {...form} /> },
    command: { title: `Command to ${many}`, form: <CommandForm {...form} /> },
    confirm: { title: `Mark ${many} as checked`, form: <ConfirmForm {...form} /> },
  };
  const open = deed && forms[deed];
  return (
    <div className="fl-bar">
      <Paper withBorder shadow="md" px="sm" py={8} role="toolbar" aria-label="Selected devices">
        <Group gap="xs" wrap="nowrap">
          <Text size="sm" fw={600} aria-live="polite">
            {count(n)} selected
          </Text>
          {!selection.all && n < total && (
            <Button
              size="compact-sm"
              variant="subtle"
              disabled={!settled}
              onClick={() => select(() => ({ all: true }))}
            >
              Select all {count(total)} that fit
            </Button>
          )}
          {change && (
            <>
              <Action onClick={() => setDeed('labels')}>Labels</Action>
              <Action onClick={() => setDeed('group')}>Group</Action>
              <Action onClick={() => setDeed('profile')}>Link profile</Action>
            </>
          )}
          <Action onClick={() => setDeed('command')}>Command</Action>
          {change && (
            <Menu position="top-end" shadow="md">
              <Menu.Target>
                <Button size="compact-sm" variant="default" rightSection={<IconChevronDown size={14} aria-hidden />}>
                  More
                </Button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item onClick={() => setDeed('confirm')}>Mark as checked</Menu.Item>
                <Menu.Divider />
                <Menu.Item color="red" onClick={() => setDeed('revoke')}>
                  Revoke
                </Menu.Item>
                <Menu.Item color="red" onClick={() => setDeed('remove')}>
                  Remove
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
          <CloseButton aria-label="Select none" onClick={() => select(() => nothing)} />
        </Group>
      </Paper>
      <Modal opened={open !== undefined} onClose={close} title={open?.title} centered>
        {open?.form}
      </Modal>
      <ConfirmNamed
        opened={deed === 'revoke'}
        close={close}
        title={`Revoke ${many}?`}
        name={String(n)}
        action={`Revoke ${many}`}
        run={() => run({ revoke: true }, n === 1 ? 'is revoked' : 'are revoked')}
      >
        They are shut out for good: the hub never again talks to these identities. Their records stay, their names
        become free. To come back, each device needs a new identity and an approval.
      </ConfirmNamed>
      <ConfirmNamed
        opened={deed === 'remove'}
        close={close}
        title={`Remove ${many}?`}
        name={String(n)}
        action={`Remove ${many}`}
        run={() => run({ remove: true }, n === 1 ? 'is removed' : 'are removed')}
      >
        The hub forgets them with their snapshots, commands and timeline. What runs on them goes on running; if they
        knock again, they wait to be approved.
      </ConfirmNamed>
      <Modal opened={outcome !== undefined} onClose={() => setOutcome(undefined)} title="What became of it" size="lg">
        {outcome && <Outcomes {...outcome} />}
      </Modal>
    </div>
  );
}

function Action({ onClick, children }: { onClick: () => void; children: string }) {
  return (
    <Button size="compact-sm" variant="default" onClick={onClick}>
      {children}
    </Button>
  );
}

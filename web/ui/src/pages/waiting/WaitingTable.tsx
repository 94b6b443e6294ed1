import { Button, Checkbox, Group, Table, Text } from '@mantine/core';
import { memo } from 'react';
import type { Schemas } from '../../api/client';
import { labelText } from '../../kit/labels';
import { State } from '../../kit/State';
import { nameOf, type Waiter } from './decide';
import { Doubts, Knocked, NewMark } from './Known';

interface Props {
  devices: readonly Waiter[];
  enrolment: (w: Waiter) => Schemas['Key'] | undefined;
  chosen: ReadonlySet<string>;
  choose: (ids: ReadonlySet<string>) => void;
  approve: (w: Waiter) => void;
  reject: (w: Waiter) => void;
  again: (w: Waiter) => void;
}

/** WaitingTable is the list for a desk, where many are decided on at once. */
export function WaitingTable({ devices, enrolment, chosen, choose, ...decide }: Props) {
  const all = devices.length > 0 && devices.every((w) => chosen.has(w.id));
  // Those that are chosen, but gone, count no longer.
  const some = devices.some((w) => chosen.has(w.id));
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    choose(next);
  };
  return (
    <div className="fs-scroll">
      <Table highlightOnHover layout="fixed" miw={900} verticalSpacing="xs" aria-label="Devices in the waiting room">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={44}>
              <Checkbox
                aria-label="Select all"
                checked={all}
                indeterminate={!all && some}
                onChange={() => choose(new Set(all ? [] : devices.map((w) => w.id)))}
              />
            </Table.Th>
            <Table.Th w={170}>Pairing code</Table.Th>
            <Table.Th>It says it is</Table.Th>
            <Table.Th>The hub knows</Table.Th>
            <Table.Th w={220} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {devices.map((w) => (
            <Row
              key={w.id}
              device={w}
              enrolment={enrolment(w)}
              chosen={chosen.has(w.id)}
              toggle={() => toggle(w.id)}
              {...decide}
            />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

interface RowProps extends Pick<Props, 'approve' | 'reject' | 'again'> {
  device: Waiter;
  enrolment: Schemas['Key'] | undefined;
  chosen: boolean;
  toggle: () => void;
}

const Row = memo(function Row({ device: w, enrolment, chosen, toggle, approve, reject, again }: RowProps) {
  const f = w.facts;
  const wishes = labelText(w.wishes);
  const given = [enrolment?.group, labelText(enrolment?.labels)].filter(Boolean).join(', ');
  return (
    <Table.Tr style={{ verticalAlign: 'top' }} bg={chosen ? 'var(--mantine-primary-color-light)' : undefined}>
      <Table.Td>
        <Checkbox aria-label={`Select ${w.pairing_code}`} checked={chosen} onChange={toggle} />
      </Table.Td>
      <Table.Td>
        <Text className="fs-pairing-code" fz={20} lh={1.2}>
          {w.pairing_code}
        </Text>
        {w.state === 'waiting' ? <NewMark device={w} /> : <State kind="waiting" state={w.state} />}
      </Table.Td>
      <Table.Td className="fs-text">
        <Text size="sm" fw={600}>
          {nameOf(w)}
        </Text>
        <Text size="sm" lineClamp={3}>
          {[f.os, f.arch, f.engine || 'engine not told yet'].filter(Boolean).join(' · ')}
        </Text>
        <Text size="xs" c="dimmed" lineClamp={4}>
          {[f.serial && `serial ${f.serial}`, f.version && `agent ${f.version}`, f.mode, wishes && `asks for ${wishes}`]
            .filter(Boolean)
            .join(' · ')}
        </Text>
      </Table.Td>
      <Table.Td className="fs-text">
        <Doubts device={w} />
        <Text size="sm">
          from {w.remote || 'an unknown address'} with edge key {enrolment?.name ?? w.key}
          {given && `, which gives ${given}`}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          knocked <Knocked device={w} />
          {w.decided_by && ` · ${w.state} by ${w.decided_by}`}
        </Text>
      </Table.Td>
      <Table.Td>
        <Group gap={6} wrap="nowrap" justify="flex-end">
          <Button size="xs" aria-label={`Approve ${w.pairing_code}`} onClick={() => approve(w)}>
            Approve
          </Button>
          {w.state === 'waiting' ? (
            <Button size="xs" variant="default" aria-label={`Reject ${w.pairing_code}`} onClick={() => reject(w)}>
              Reject
            </Button>
          ) : (
            <Button size="xs" variant="default" onClick={() => again(w)}>
              Let it wait
            </Button>
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
});

import { Button, Group, Modal, Stack, Table, Text, VisuallyHidden } from '@mantine/core';
import { IconRefresh, IconStack2 } from '@tabler/icons-react';
import { useState } from 'react';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { LinkAnchor, LinkButton } from '../../kit/links';
import { Since } from '../../kit/Since';
import { StackReason } from '../../kit/StackReason';
import { State } from '../../kit/State';
import { usePhone } from '../../kit/usePhone';
import type { Detail } from './queries';
import { useGive } from './useGive';
import { whenCollected } from './words';

type DeviceStack = Detail['stack_states'][number];

/** DeviceStacks lists the stacks that the device has or shall have, and where each stands on it. */
export function DeviceStacks({ device }: { device: Detail }) {
  const phone = usePhone();
  const list = [...device.stack_states].sort((a, b) => a.stack.localeCompare(b.stack));
  if (list.length === 0) {
    return (
      <Empty icon={IconStack2} title="No stack is meant for this device">
        A stack comes to the devices that its selector fits, by their labels.
        <br />
        <LinkButton to="/stacks" mt="md" variant="default">
          Go to the stacks
        </LinkButton>
      </Empty>
    );
  }
  if (phone) {
    return (
      <Stack gap={0}>
        {list.map((s) => (
          <div key={s.stack} className="fs-card" data-stack={s.stack}>
            <div className="fs-card-head">
              <StackLink stack={s} />
              <State kind="stack" state={s.state} />
            </div>
            <Text size="sm">
              <Versions stack={s} /> · <Since at={s.at} none="" />
            </Text>
            <StackReason stack={s} />
            <Redeploy device={device} stack={s} />
          </div>
        ))}
      </Stack>
    );
  }
  return (
    <div className="fs-scroll">
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={180}>State</Table.Th>
            <Table.Th>Stack</Table.Th>
            <Table.Th>Version</Table.Th>
            <Table.Th w={140}>Since</Table.Th>
            <Table.Th>Reason</Table.Th>
            <Table.Th w={130}>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {list.map((s) => (
            <Table.Tr key={s.stack} data-stack={s.stack}>
              <Table.Td>
                <State kind="stack" state={s.state} />
              </Table.Td>
              <Table.Td>
                <StackLink stack={s} />
              </Table.Td>
              <Table.Td>
                <Versions stack={s} />
              </Table.Td>
              <Table.Td>
                <Since at={s.at} />
              </Table.Td>
              <Table.Td maw={520}>
                <StackReason stack={s} />
              </Table.Td>
              <Table.Td>
                <Redeploy device={device} stack={s} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function StackLink({ stack: s }: { stack: DeviceStack }) {
  return (
    <LinkAnchor to="/stacks/$stack" params={{ stack: s.stack }} size="sm" className="fs-text">
      {s.stack}
    </LinkAnchor>
  );
}

function Versions({ stack: s }: { stack: DeviceStack }) {
  if (!s.version) return s.running ? <>version {s.running} runs, and shall go</> : <>shall go</>;
  if (s.running === s.version) return <>version {s.version} runs</>;
  return (
    <>
      version {s.version} is wanted, {s.running ? `${s.running} runs` : 'none runs'}
    </>
  );
}

function Redeploy({ device, stack: s }: { device: Detail; stack: DeviceStack }) {
  const give = useGive(device);
  const [asked, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const off = !s.version || device.liveness.state === 'revoked';
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await give({ kind: 'stack.redeploy', target: s.stack });
      ask(false);
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        variant="default"
        size="xs"
        mih={36}
        leftSection={<IconRefresh size={15} aria-hidden />}
        disabled={off}
        onClick={() => ask(true)}
        aria-label={`Redeploy ${s.stack}`}
      >
        Redeploy
      </Button>
      <Modal opened={asked} onClose={() => ask(false)} title="Redeploy the stack on this device?" centered>
        <Stack gap="sm">
          <Text size="sm">
            The device applies version {s.version} of <b className="fs-text">{s.stack}</b> again, and makes anew what
            differs from it. {whenCollected(device)}
          </Text>
          <Failure error={error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={() => ask(false)}>
              Cancel
            </Button>
            <Button onClick={run} loading={busy}>
              Redeploy
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

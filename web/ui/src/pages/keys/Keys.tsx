import { Anchor, Badge, Button, Group, Paper, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { keysQuery } from '../../api/queries';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Empty } from '../../kit/Empty';
import { Failure } from '../../kit/Failure';
import { Labels } from '../../kit/Labels';
import { Page } from '../../kit/Page';
import { Since, useNow } from '../../kit/Since';
import { dateOf } from '../../kit/time';
import { usePhone } from '../../kit/usePhone';
import { MadeKey } from './MadeKey';
import { NewKey } from './NewKey';

type Key = Schemas['Key'];

/** Keys lists the edge keys, makes them and removes them. */
export function Keys() {
  const { new: making } = useSearch({ from: '/inside/keys' });
  const navigate = useNavigate({ from: '/keys' });
  const [made, setMade] = useState<Key>();
  const list = () => {
    setMade(undefined);
    void navigate({ search: {}, replace: true, ignoreBlocker: true });
  };
  if (made) {
    return (
      <Page title={`Edge key ${made.name}`}>
        <MadeKey made={made} done={list} />
      </Page>
    );
  }
  if (making) {
    return (
      <Page title="New edge key" about="An edge key brings devices to this hub’s waiting room.">
        <NewKey made={setMade} cancel={list} />
      </Page>
    );
  }
  return <List />;
}

function List() {
  const navigate = useNavigate({ from: '/keys' });
  const phone = usePhone();
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(keysQuery);
  const [removing, setRemoving] = useState<Key>();
  const [open, setOpen] = useState(false);
  const remove = (k: Key) => {
    setRemoving(k);
    setOpen(true);
  };
  const items = data?.items ?? [];
  return (
    <Page
      title="Edge keys"
      about="What a device is given to knock at this hub. The hub keeps no edge key itself, only what it allows."
      actions={
        <May operation="keys.create">
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => navigate({ search: { new: true } })}>
            New edge key
          </Button>
        </May>
      }
    >
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={220} />}
      {data && items.length === 0 && (
        <Empty icon={IconKey} title="No edge key yet">
          Make one, start an agent with it on a device, and the device appears in the waiting room.
        </Empty>
      )}
      {items.length > 0 && (phone ? <Cards items={items} remove={remove} /> : <Rows items={items} remove={remove} />)}
      {removing && (
        <ConfirmNamed
          opened={open}
          close={() => setOpen(false)}
          title="Remove this edge key?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(api.DELETE('/api/v1/keys/{key}', { params: { path: { key: removing.id } } }));
            await Promise.all(['keys', 'waiting'].map((k) => cache.invalidateQueries({ queryKey: [k] })));
            notifications.show({ title: 'Edge key removed', message: removing.name });
          }}
        >
          Nobody can knock with it any more, and devices that wait for it leave the waiting room. Nothing happens to
          devices that are in. It cannot be brought back.
        </ConfirmNamed>
      )}
    </Page>
  );
}

interface ListProps {
  items: readonly Key[];
  remove: (k: Key) => void;
}

function Rows({ items, remove }: ListProps) {
  return (
    <div className="fs-scroll">
      <Table highlightOnHover aria-label="Edge keys">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th miw={125}>State</Table.Th>
            <Table.Th>Used</Table.Th>
            <Table.Th>Expires</Table.Th>
            <Table.Th>Approval</Table.Th>
            <Table.Th>Gives</Table.Th>
            <Table.Th>Made</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((k) => (
            <Table.Tr key={k.id}>
              <Table.Td className="fs-text" maw={280}>
                {k.name}
                {k.single_device && (
                  <Text size="xs" c="dimmed">
                    for one device{k.device_name ? `, ${k.device_name}` : ''}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <KeyState k={k} />
              </Table.Td>
              <Table.Td>{used(k)}</Table.Td>
              <Table.Td>
                <Since at={k.expires} none="never" />
              </Table.Td>
              <Table.Td className="fs-text" maw={260}>
                {approval(k)}
              </Table.Td>
              <Table.Td>
                <Gives k={k} />
              </Table.Td>
              <Table.Td className="fs-text">
                <Since at={k.created} />
                {k.created_by && ` by ${k.created_by}`}
              </Table.Td>
              <Table.Td ta="right">
                <RemoveButton k={k} remove={remove} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Cards({ items, remove }: ListProps) {
  return (
    <Stack gap="sm">
      {items.map((k) => (
        <Paper key={k.id} withBorder p="sm" component="article" aria-label={`Edge key ${k.name}`}>
          <Group justify="space-between" wrap={k.unusable ? 'wrap' : 'nowrap'} align="flex-start">
            <Title order={2} size="h3" className="fs-text">
              {k.name}
            </Title>
            <KeyState k={k} />
          </Group>
          <Text size="sm" component="div">
            Used by {used(k)}; expires <Since at={k.expires} none="never" />
          </Text>
          <Text size="sm" className="fs-text">
            Approval {approval(k)}
          </Text>
          <Group justify="space-between" align="flex-end" wrap="nowrap" mt={4}>
            <Gives k={k} />
            <RemoveButton k={k} remove={remove} />
          </Group>
        </Paper>
      ))}
    </Stack>
  );
}

function RemoveButton({ k, remove }: { k: Key; remove: (k: Key) => void }) {
  return (
    <Button
      variant="subtle"
      color="gray"
      px="xs"
      ml="auto"
      style={{ flexShrink: 0 }}
      aria-label={`Remove the edge key ${k.name}`}
      onClick={() => remove(k)}
    >
      <IconTrash size={18} aria-hidden />
    </Button>
  );
}

function Gives({ k }: { k: Key }) {
  if (!k.group && Object.keys(k.labels ?? {}).length === 0) return null;
  return (
    <Group gap={6}>
      {k.group && (
        <Anchor
          size="sm"
          className="fs-text"
          renderRoot={(p) => <Link to="/groups" search={{ path: k.group as string }} {...p} />}
        >
          {k.group}
        </Anchor>
      )}
      <Labels labels={k.labels} />
    </Group>
  );
}

/** used says how many devices joined, of how many. */
function used(k: Key): string {
  return k.uses ? `${count(k.used)} of ${count(k.uses, 'device')}` : count(k.used, 'device');
}

function approval(k: Key): ReactNode {
  const rule = k.auto_approve;
  if (!rule) return 'by hand';
  const parts = [
    rule.serials?.length && `serial ${rule.serials.join(' or ')}`,
    rule.hostnames?.length && `host ${rule.hostnames.join(' or ')}`,
    rule.networks?.length && `from ${rule.networks.join(' or ')}`,
  ].filter(Boolean);
  return parts.length ? `by rule: ${parts.join(', ')}` : 'by rule: everybody who has the key';
}

/** KeyState tells whether devices can still join by the key, and if not, why. */
function KeyState({ k }: { k: Key }) {
  const now = useNow();
  const expires = dateOf(k.expires);
  if (k.unusable) {
    return (
      <Stack gap={2} maw={260}>
        <Mark color="red" word="cannot be used" />
        <Text size="xs" className="fs-text">
          {k.unusable}
        </Text>
      </Stack>
    );
  }
  if (expires && expires.getTime() <= now) return <Mark color="gray" word="expired" />;
  if (k.uses && k.used >= k.uses) return <Mark color="gray" word="used up" />;
  return <Mark color="green" word="usable" />;
}

function Mark({ color, word }: { color: string; word: string }) {
  return (
    <Badge
      className="fs-state"
      variant="light"
      color={color}
      leftSection={color === 'green' ? <IconKey size={14} aria-hidden /> : <IconAlertTriangle size={14} aria-hidden />}
      style={{ flexShrink: 0 }}
    >
      {word}
    </Badge>
  );
}

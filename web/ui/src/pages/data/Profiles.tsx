import { Alert, Badge, Button, Group, Paper, SimpleGrid, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconCopy, IconLock, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { groupsQuery, profilesQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { bytes, count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { LinkAnchor } from '../../kit/links';
import { RowButton } from '../../kit/RowButton';
import { inWords, settingFields, settingNames } from '../../kit/settings';
import { EditProfile, NewProfile } from './ProfileForms';
import { linkWords } from './profile';

type Profile = Schemas['Profile'];

/** Profiles are the link profiles: settings by name, for groups and devices with the same kind of link. */
export function Profiles() {
  const cache = useQueryClient();
  const { data, error, refetch } = useQuery(profilesQuery);
  const change = useMay('profiles.change');
  const [making, setMaking] = useState<Profile | 'empty'>();
  const [editing, setEditing] = useState<readonly string[]>([]);
  const [removing, setRemoving] = useState<Profile>();
  const [open, setOpen] = useState(false);
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={640}>
          By the kind of their link: how often devices make contact, what they may spend on it, and when they may use
          it. Groups and devices name one; what it does not say is inherited.
        </Text>
        {change && (
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setMaking('empty')}>
            New profile
          </Button>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={260} />}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        {data?.items.map((p) => (
          <Paper key={p.name} withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-label={p.name}>
            <Group justify="space-between" gap="xs" mb="xs">
              <Group gap="xs">
                <Title order={2} className="fs-text">
                  {p.name}
                </Title>
                {p.built_in && (
                  <Badge
                    className="fs-state"
                    variant="light"
                    color="gray"
                    leftSection={<IconLock size={13} aria-hidden />}
                  >
                    built in
                  </Badge>
                )}
              </Group>
              <Group gap={4}>
                {!change ? null : p.built_in ? (
                  <Button
                    variant="default"
                    leftSection={<IconCopy size={16} aria-hidden />}
                    aria-label={`Make one like it: ${p.name}`}
                    onClick={() => setMaking(p)}
                  >
                    Make one like it
                  </Button>
                ) : (
                  !editing.includes(p.name) && (
                    <>
                      <Button
                        variant="default"
                        leftSection={<IconPencil size={16} aria-hidden />}
                        aria-label={`Edit ${p.name}`}
                        onClick={() => setEditing((e) => [...e, p.name])}
                      >
                        Edit
                      </Button>
                      <RowButton
                        label={`Remove the profile ${p.name}`}
                        onClick={() => {
                          setRemoving(p);
                          setOpen(true);
                        }}
                      >
                        <IconTrash size={18} aria-hidden />
                      </RowButton>
                    </>
                  )
                )}
              </Group>
            </Group>
            {editing.includes(p.name) ? (
              <EditProfile profile={p} close={() => setEditing((e) => e.filter((name) => name !== p.name))} />
            ) : (
              <Says profile={p} />
            )}
            <UsedBy profile={p} />
          </Paper>
        ))}
      </SimpleGrid>
      <NewProfile like={making} close={() => setMaking(undefined)} />
      {removing && (
        <ConfirmNamed
          opened={open}
          close={() => setOpen(false)}
          title="Remove this link profile?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(api.DELETE('/api/v1/profiles/{profile}', { params: { path: { profile: removing.name } } }));
            await cache.invalidateQueries({ queryKey: ['profiles'] });
            notifications.show({ title: 'Link profile removed', message: removing.name });
          }}
        >
          The hub refuses while a group or device goes by it.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

function Says({ profile: p }: { profile: Profile }) {
  const link = linkWords(p);
  return (
    <>
      <Idle profile={p} />
      <Table withRowBorders={false} verticalSpacing={3} aria-label={`What ${p.name} says`}>
        <Table.Tbody>
          {settingFields.map((f) => (
            <Row key={f} name={settingNames[f]} words={inWords(f, p.settings[f])} none="inherited" />
          ))}
          {link.map(([name, words]) => (
            <Row key={name} name={name} words={words} />
          ))}
          {link.length === 0 && <Row name="Link" none="all that is wanted, at any time" />}
        </Table.Tbody>
      </Table>
      {p.warnings.length > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="To think of" p="xs" mt="xs">
          {p.warnings.map((w) => (
            <Text size="sm" key={w} className="fs-text">
              {w}
            </Text>
          ))}
        </Alert>
      )}
    </>
  );
}

/** Idle says what a device costs in which nothing happens. */
function Idle({ profile: { idle, tariff } }: { profile: Profile }) {
  return (
    <Text size="sm" mb="xs">
      A device with nothing to do: <b>{bytes(idle.bytes_per_month)} a month</b>
      {idle.cost_per_month && `, ${idle.cost_per_month} ${tariff?.currency ?? ''}`.trimEnd()} (
      {bytes(idle.bytes_per_day)} a day).
    </Text>
  );
}

function Row({ name, words, none }: { name: string; words?: string; none?: string }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400} w={150} c="dimmed" pl={0}>
        {name}
      </Table.Th>
      <Table.Td className="fs-text" c={words ? undefined : 'dimmed'}>
        {words || none}
      </Table.Td>
    </Table.Tr>
  );
}

function UsedBy({ profile: { name, devices } }: { profile: Profile }) {
  const { data } = useQuery(groupsQuery);
  const by = data?.items.filter((g) => g.profile === name) ?? [];
  return (
    <Group gap="sm" mt="xs">
      <LinkAnchor to="/fleet" search={{ profile: name }} size="sm">
        {devices === 0 ? 'No device goes by it' : `${count(devices, 'device goes', 'devices go')} by it`}
      </LinkAnchor>
      {by.length > 0 && (
        <Text size="sm" c="dimmed" component="div">
          Named by{' '}
          {by.map((g, i) => (
            <span key={g.path}>
              {i > 0 && ', '}
              <LinkAnchor to="/groups" search={{ path: g.path }} size="sm" underline="always" className="fs-text">
                {g.path || 'all devices'}
              </LinkAnchor>
            </span>
          ))}
        </Text>
      )}
    </Group>
  );
}

import { Badge, Button, Group, Paper, Stack, Table, Text, Title, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { May } from '../../app/May';
import { count } from '../../kit/bytes';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { effective, labelsOf, type Source } from '../../kit/inherit';
import { LinkAnchor, LinkButton } from '../../kit/links';
import { State } from '../../kit/State';
import { inWords, settingFields, settingNames } from '../../kit/settings';
import { livenessStates } from '../../kit/states';
import { Passes } from '../data/Passes';
import { Variables } from '../variables/Variables';
import { EditGroup } from './EditGroup';
import { Policy } from './Policy';
import { type Group as FleetGroup, titleOf } from './tree';

interface Props {
  group: FleetGroup;
  groups: readonly FleetGroup[];
  profiles: readonly Schemas['Profile'][];
  addBelow: () => void;
  removed: () => void;
}

/** GroupDetail is what one group says, and what holds in it. */
export function GroupDetail({ group: g, groups, profiles, addBelow, removed }: Props) {
  const cache = useQueryClient();
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const full = g.devices_below > 0 || groups.some((x) => x.path.startsWith(`${g.path}/`));
  const inFleet = g.path === '' ? {} : { group: g.path };
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }}>
      <Stack gap="md">
        <Group justify="space-between" gap="xs" align="flex-start">
          <Title order={2} className="fs-text">
            {titleOf(g.path)}
          </Title>
          <May operation="groups.change">
            <Group gap="xs">
              {!editing && (
                <Button leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setEditing(true)}>
                  Edit
                </Button>
              )}
              <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} onClick={addBelow}>
                {g.path === '' ? 'New group' : 'Group below'}
              </Button>
              {g.path !== '' && (
                <Tooltip
                  label={full ? 'It holds devices or other groups: move them first.' : 'Remove this group'}
                  events={{ hover: true, focus: true, touch: true }}
                >
                  <Button
                    variant="default"
                    px="xs"
                    aria-label="Remove this group"
                    data-disabled={full || undefined}
                    aria-disabled={full}
                    onClick={() => !full && setRemoving(true)}
                  >
                    <IconTrash size={18} aria-hidden />
                  </Button>
                </Tooltip>
              )}
            </Group>
          </May>
        </Group>
        <Group gap="xs">
          <LinkButton to="/fleet" search={inFleet} variant="light">
            {count(g.devices_below, 'device')} in the fleet
          </LinkButton>
          {g.devices_below !== g.devices && (
            <Text size="sm" c="dimmed">
              {count(g.devices)} in the group itself
            </Text>
          )}
          {livenessStates
            .filter((s) => g.states[s])
            .map((s) => (
              <LinkAnchor key={s} to="/fleet" search={{ ...inFleet, state: s }} underline="never" c="inherit">
                <Group gap={4} wrap="nowrap">
                  <Text size="sm">{count(g.states[s] ?? 0)}</Text>
                  <State kind="liveness" state={s} />
                </Group>
              </LinkAnchor>
            ))}
        </Group>
        {editing ? (
          <EditGroup key={g.path} group={g} groups={groups} profiles={profiles} close={() => setEditing(false)} />
        ) : (
          <>
            <Holds path={g.path} groups={groups} profiles={profiles} />
            <Variables scope={{ group: g.path }} heading={{ order: 3 }} />
            <Passes scope={{ group: g.path }} heading={{ order: 3 }} />
            <Policy path={g.path} />
          </>
        )}
        <Text size="xs" c="dimmed">
          A group is its path: it cannot be renamed. Make a new one and move the devices, from the fleet’s list many at
          once.
        </Text>
      </Stack>
      <ConfirmNamed
        opened={removing}
        close={() => setRemoving(false)}
        title="Remove this group?"
        name={g.path}
        action="Remove"
        run={async () => {
          await ok(api.DELETE('/api/v1/groups', { params: { query: { path: g.path } } }));
          await cache.invalidateQueries({ queryKey: ['groups'] });
          notifications.show({ title: 'Group removed', message: g.path });
          removed();
        }}
      >
        It holds no device. Its labels and settings are gone; a device or key that names it makes it anew, without them.
      </ConfirmNamed>
    </Paper>
  );
}

/** Holds shows what devices of a group get, and from where. */
function Holds({ path, groups, profiles }: Pick<Props, 'groups' | 'profiles'> & { path: string }) {
  const labels = [...labelsOf(path, groups)].sort(([a], [b]) => a.localeCompare(b));
  const settings = effective({ group: path }, { groups, profiles });
  return (
    <>
      <div>
        <Title order={3} mb={6}>
          Labels that devices get
        </Title>
        {labels.length === 0 ? (
          <Text size="sm" c="dimmed">
            None from here. What a group says holds for all devices below it.
          </Text>
        ) : (
          <Group gap="xs">
            {labels.map(([k, s]) => (
              <Group key={k} gap={4}>
                <Badge className="fs-label" variant="default">
                  {k}={s.value}
                </Badge>
                {s.group !== undefined && s.group !== path && (
                  <Text size="xs" c="dimmed">
                    from <Place path={s.group} />
                  </Text>
                )}
              </Group>
            ))}
          </Group>
        )}
      </div>
      <div>
        <Title order={3} mb={6}>
          Settings that hold here
        </Title>
        <div className="fs-scroll">
          <Table aria-label="Settings that hold here" withRowBorders={false} verticalSpacing={3}>
            <Table.Tbody>
              <Setting
                name="Link profile"
                words={String(settings.profile?.value ?? 'none')}
                source={settings.profile}
              />
              {settingFields.map((f) => (
                <Setting
                  key={f}
                  name={settingNames[f]}
                  words={settings[f] ? inWords(f, settings[f].value) : 'the hub’s default'}
                  source={settings[f]}
                />
              ))}
            </Table.Tbody>
          </Table>
        </div>
        <Text size="xs" c="dimmed" mt={4}>
          For devices that say nothing themselves. The hub’s defaults differ by mode: a standard device pings each 30 s,
          an async one each minute.
        </Text>
      </div>
    </>
  );
}

function Setting({ name, words, source }: { name: string; words: string; source: Source | undefined }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={400} w={150} c="dimmed" pl={0}>
        {name}
      </Table.Th>
      <Table.Td className="fs-text" c={source ? undefined : 'dimmed'}>
        {words}
        {source && (
          <Text span size="xs" c="dimmed" ml="xs">
            {source.profile && `profile ${source.profile}, `}
            <Place path={source.group ?? ''} />
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Place({ path }: { path: string }) {
  return (
    <LinkAnchor to="/groups" search={{ path }} size="xs" underline="always" className="fs-text">
      {titleOf(path)}
    </LinkAnchor>
  );
}

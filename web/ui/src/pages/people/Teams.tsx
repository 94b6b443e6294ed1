import { Button, Group, Modal, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { sessionQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import { ConfirmNamed } from '../../kit/ConfirmNamed';
import { Failure } from '../../kit/Failure';
import { RowButton } from '../../kit/RowButton';
import { EditTeam, NewTeam } from './TeamForms';
import { TeamMembers } from './TeamMembers';
import { leads, type Team, teamsQuery } from './teams';

/** Teams are sets of users. Administrators make, change and remove them; who leads one says who is in it. */
export function Teams() {
  const cache = useQueryClient();
  const all = useMay('people.change');
  const { data: session } = useQuery(sessionQuery);
  const { data, error, refetch } = useQuery(teamsQuery);
  const [making, setMaking] = useState(false);
  const [changing, setChanging] = useState<string>();
  const [removing, setRemoving] = useState<Team>();
  const items = data?.items ?? [];
  const open = items.find((t) => t.name === changing);
  const close = () => setChanging(undefined);
  return (
    <Stack gap="sm" component="section" aria-label="Teams">
      <Group justify="space-between" gap="sm">
        <div>
          <Title order={2} size="h4">
            Teams
          </Title>
          <Text size="sm" c="dimmed">
            A role or a stack can be a team’s. Its leaders say who is in it.
          </Text>
        </div>
        {all && (
          <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => setMaking(true)}>
            Add a team
          </Button>
        )}
      </Group>
      <Failure error={error} retry={refetch} />
      {!data && !error && <Skeleton h={80} />}
      {data && items.length === 0 && (
        <Text size="sm" c="dimmed">
          No teams yet.
        </Text>
      )}
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label="Teams">
        {items.map((t) => (
          <Paper key={t.name} component="li" withBorder px="sm" py="xs" aria-label={t.name}>
            <Group justify="space-between" gap="xs">
              <div style={{ minWidth: 0 }}>
                <Text size="sm" fw={600} className="fs-text">
                  {t.name}
                </Text>
                <Text size="sm" c="dimmed" className="fs-text">
                  {t.leaders.length > 0 ? `Led by ${t.leaders.join(', ')}` : 'Without a leader'};{' '}
                  {t.members.length > 0 ? t.members.join(', ') : 'nobody is in it'}
                  {t.note && `. ${t.note}`}
                </Text>
              </div>
              <Group gap={0}>
                {(all || leads(t, session?.name)) && (
                  <RowButton label={`Change the team ${t.name}`} onClick={() => setChanging(t.name)}>
                    Change
                  </RowButton>
                )}
                {all && (
                  <RowButton label={`Remove the team ${t.name}`} onClick={() => setRemoving(t)}>
                    Remove
                  </RowButton>
                )}
              </Group>
            </Group>
          </Paper>
        ))}
      </Stack>
      <Modal opened={making} onClose={() => setMaking(false)} title="Add a team" centered>
        {making && <NewTeam close={() => setMaking(false)} />}
      </Modal>
      <Modal opened={open !== undefined} onClose={close} title={`Team ${open?.name}`} centered>
        {open && (all ? <EditTeam team={open} close={close} /> : <TeamMembers team={open} />)}
      </Modal>
      {removing && (
        <ConfirmNamed
          opened
          close={() => setRemoving(undefined)}
          title="Remove this team?"
          name={removing.name}
          action="Remove"
          run={async () => {
            await ok(api.DELETE('/api/v1/teams/{team}', { params: { path: { team: removing.name } } }));
            for (const k of ['teams', 'users', 'grants']) void cache.invalidateQueries({ queryKey: [k] });
          }}
        >
          Its grants go as well. Its people stay, and may no longer what they might as a team.
        </ConfirmNamed>
      )}
    </Stack>
  );
}

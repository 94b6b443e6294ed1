import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '../../api/client';
import { Failure } from '../../kit/Failure';
import { type Team, teamsQuery } from './teams';

/** TeamMembers is for who leads a team: people come in and go out one by one, and leaders stay. */
export function TeamMembers({ team }: { team: Team }) {
  const cache = useQueryClient();
  const [user, setUser] = useState('');
  const path = (name: string) => ({ params: { path: { team: team.name, user: name } } });
  const fresh = () => cache.invalidateQueries({ queryKey: teamsQuery.queryKey });
  const add = useMutation({
    mutationFn: (name: string) => ok(api.PUT('/api/v1/teams/{team}/members/{user}', path(name))),
    onSuccess: () => setUser(''),
    onSettled: fresh,
  });
  const take = useMutation({
    mutationFn: (name: string) => ok(api.DELETE('/api/v1/teams/{team}/members/{user}', path(name))),
    onSettled: fresh,
  });
  const plain = team.members.filter((m) => !team.leaders.includes(m));
  return (
    <Stack gap="sm">
      <Text size="sm" className="fs-text">
        Led by {team.leaders.join(', ')}
      </Text>
      {plain.map((m) => (
        <Group key={m} justify="space-between" wrap="nowrap">
          <Text size="sm" className="fs-text">
            {m}
          </Text>
          <Button
            variant="subtle"
            color="gray"
            aria-label={`Take ${m} out`}
            loading={take.isPending && take.variables === m}
            onClick={() => take.mutate(m)}
          >
            Take out
          </Button>
        </Group>
      ))}
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          if (user.trim() !== '') add.mutate(user.trim());
        }}
      >
        <Group gap="xs" align="flex-end">
          <TextInput
            label="Name of a user"
            flex={1}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            maxLength={64}
            value={user}
            onChange={(e) => setUser(e.currentTarget.value)}
          />
          <Button type="submit" loading={add.isPending}>
            Put in
          </Button>
        </Group>
      </form>
      <Failure error={add.error ?? take.error} />
    </Stack>
  );
}

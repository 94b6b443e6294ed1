import { Button, Group, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { problemOf } from '../../api/problem';
import { Conflict } from '../../kit/Conflict';
import { Failure } from '../../kit/Failure';
import type { Fields } from '../../kit/merge';
import { useEdit } from '../../kit/useEdit';
import { fieldsOf, namesOf, putTeam, type Team, teamsQuery } from './teams';
import { usersQuery } from './users';

const names = { leaders: 'Leaders', members: 'Members', note: 'Note' };

/** useStale makes anew what shows who is in which team. */
function useStale() {
  const cache = useQueryClient();
  return () => {
    for (const k of ['teams', 'users']) void cache.invalidateQueries({ queryKey: [k] });
  };
}

/** NewTeam makes a team. */
export function NewTeam({ close }: { close: () => void }) {
  const stale = useStale();
  const [name, setName] = useState('');
  const [fields, setFields] = useState<Fields>({});
  const make = useMutation({
    mutationFn: () => putTeam(name.trim(), fields),
    onSuccess: () => {
      stale();
      close();
    },
  });
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim() !== '') make.mutate();
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="a–z, 0–9, . _ @ -"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          maxLength={64}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <TeamFields fields={fields} set={(field, text) => setFields((f) => ({ ...f, [field]: text }))} />
        <Failure error={make.error} />
        <Button type="submit" loading={make.isPending}>
          Add
        </Button>
      </Stack>
    </form>
  );
}

/** EditTeam changes who leads a team and who is in it. */
export function EditTeam({ team, close }: { team: Team; close: () => void }) {
  const cache = useQueryClient();
  const stale = useStale();
  const edit = useEdit({
    thing: team,
    etagOf: (t) => t.etag,
    fieldsOf,
    names,
    save: (fields, etag) => putTeam(team.name, fields, etag),
    read: async () => {
      const { items } = await cache.fetchQuery({ ...teamsQuery, staleTime: 0 });
      const now = items.find((t) => t.name === team.name);
      if (!now) throw problemOf(404, { title: 'Gone', detail: `The team ${team.name} was removed meanwhile.` });
      return now;
    },
    saved: () => {
      stale();
      close();
    },
  });
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        edit.save();
      }}
    >
      <Stack gap="sm">
        <TeamFields fields={edit.fields} set={edit.set} />
        {edit.conflict && <Conflict {...edit.conflict} />}
        <Failure error={edit.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={edit.busy} disabled={!edit.dirty || !!edit.conflict}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function TeamFields({ fields, set }: { fields: Fields; set: (field: string, text: string) => void }) {
  const { data } = useQuery(usersQuery);
  const users = data?.items.map((u) => u.name) ?? [];
  const chosen = (field: string) => ({
    data: users,
    value: namesOf(fields[field]),
    onChange: (all: string[]) => set(field, all.join(', ')),
    acceptValueOnBlur: true,
    limit: 100,
  });
  return (
    <>
      <TagsInput
        label="Leaders"
        description="They put people into the team, and take them out"
        {...chosen('leaders')}
      />
      <TagsInput label="Members" {...chosen('members')} />
      <Textarea
        label="Note"
        autosize
        minRows={1}
        maxLength={1024}
        value={fields.note ?? ''}
        onChange={(e) => set('note', e.currentTarget.value)}
      />
    </>
  );
}

import { Stack, TagsInput, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { problemOf } from '../../api/problem';
import { EditFooter } from '../../kit/EditFooter';
import type { Fields } from '../../kit/merge';
import { NameForm } from '../../kit/NameForm';
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
  const [fields, setFields] = useState<Fields>({});
  const make = useMutation({
    mutationFn: (name: string) => putTeam(name, fields),
    onSuccess: () => {
      stale();
      close();
    },
  });
  return (
    <NameForm action="Add" make={make}>
      <TeamFields fields={fields} set={(field, text) => setFields((f) => ({ ...f, [field]: text }))} />
    </NameForm>
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
        <EditFooter edit={edit} wrong={!edit.dirty} close={close} />
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

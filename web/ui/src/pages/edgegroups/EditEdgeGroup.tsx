import { Stack, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, ok } from '../../api/client';
import { asProblem } from '../../api/problem';
import { edgeGroupsSearch } from '../../app/search';
import { EditFooter } from '../../kit/EditFooter';
import { Leaving } from '../../kit/Leaving';
import type { Fields } from '../../kit/merge';
import { undoable } from '../../kit/undoable';
import { useEdit } from '../../kit/useEdit';
import { EdgeGroupFields } from './EdgeGroupFields';
import { bodyOf, fieldsOf, names } from './fields';
import { type EdgeGroup, edgeGroupQuery, type Member } from './queries';

interface Props {
  group: EdgeGroup;
  devices: readonly Member[];
  close: () => void;
}

/** EditEdgeGroup changes an edge group. */
export function EditEdgeGroup({ group, devices, close }: Props) {
  const cache = useQueryClient();
  const put = async (fields: Fields, etag: string) => {
    const now = await ok(
      api.PUT('/api/v1/edge-groups/{edgegroup}', {
        params: { path: { edgegroup: group.name }, header: { 'If-Match': etag } },
        body: bodyOf(fields),
      }),
    );
    for (const k of ['edge-groups', 'edge-group']) void cache.invalidateQueries({ queryKey: [k] });
    return now;
  };
  const edit = useEdit({
    thing: group,
    etagOf: (g) => g.etag,
    fieldsOf,
    names,
    save: put,
    read: async () => (await cache.fetchQuery({ ...edgeGroupQuery(group.name), staleTime: 0 })).group,
    saved: (now, before) => {
      close();
      undoable(`${group.name}: saved`, () => put(before, now.etag));
    },
  });
  const refused = edit.error ? asProblem(edit.error) : undefined;
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        edit.save();
      }}
    >
      <Stack gap="md">
        <Title order={3}>What it is made of</Title>
        <EdgeGroupFields
          name={group.name}
          fields={edit.fields}
          set={edit.set}
          known={devices}
          refused={(f) => refused?.field(f)}
        />
        <EditFooter edit={edit} close={close} />
      </Stack>
      <Leaving dirty={() => edit.dirty} stays={(s) => edgeGroupsSearch(s).name === group.name} />
    </form>
  );
}

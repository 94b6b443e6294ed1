import { MultiSelect, type MultiSelectProps } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { count } from '../../../kit/bytes';
import { edgeGroupsQuery } from '../../edgegroups/queries';

/** EdgeGroupsField takes names of edge groups, each shown with how many devices are in it now. */
export function EdgeGroupsField(props: MultiSelectProps & { value: string[] }) {
  const { data } = useQuery(edgeGroupsQuery);
  const groups = data?.items ?? [];
  // What is chosen is shown, also where it is gone meanwhile.
  const gone = props.value.filter((n) => data && !groups.some((g) => g.name === n));
  return (
    <MultiSelect
      data={[
        ...groups.map((g) => ({ value: g.name, label: `${g.name} (${count(g.members)})` })),
        ...gone.map((n) => ({ value: n, label: `${n} (gone)` })),
      ]}
      searchable
      clearable
      hidePickedOptions
      nothingFoundMessage="No edge group is called so"
      {...props}
    />
  );
}

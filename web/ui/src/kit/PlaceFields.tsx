import { Autocomplete, type AutocompleteProps, NativeSelect, type NativeSelectProps } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { groupsQuery, profilesQuery } from '../api/queries';

const form = /^[A-Za-z0-9._-]{1,64}(\/[A-Za-z0-9._-]{1,64}){0,15}$/;

/** wrongGroup says what is wrong with a group's path as it was typed. Empty is right: the root, or that of the key. */
export function wrongGroup(path: string): string | undefined {
  const p = path.trim();
  return p === '' || form.test(p)
    ? undefined
    : 'Use names of letters, digits, . _ and - with / between them, such as norway/oslo.';
}

/** GroupField takes the path of a group, one that is there or a new one. */
export function GroupField(props: AutocompleteProps) {
  const { data } = useQuery(groupsQuery);
  return (
    <Autocomplete
      label="Group"
      data={data?.items.flatMap((g) => (g.path === '' ? [] : [g.path])) ?? []}
      limit={50}
      spellCheck={false}
      autoCapitalize="none"
      error={wrongGroup(props.value ?? '')}
      {...props}
    />
  );
}

/** ProfileField takes the name of a link profile; empty: that which is inherited. */
export function ProfileField({ none = 'inherited', ...props }: NativeSelectProps & { none?: string }) {
  const { data } = useQuery(profilesQuery);
  const names = data?.items.map((p) => p.name) ?? [];
  const chosen = props.value;
  const known = typeof chosen === 'string' && chosen !== '' && !names.includes(chosen) ? [...names, chosen] : names;
  return (
    <NativeSelect
      label="Link profile"
      data={[{ value: '', label: none }, ...known.map((n) => ({ value: n, label: n }))]}
      {...props}
    />
  );
}

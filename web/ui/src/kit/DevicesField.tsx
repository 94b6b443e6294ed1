import { MultiSelect, type MultiSelectProps } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { devicesQuery } from '../api/queries';

const offered = 20;

interface Props extends Omit<MultiSelectProps, 'value' | 'onChange' | 'data'> {
  /** Ids. */
  value: readonly string[];
  change: (ids: string[]) => void;
  /** Devices whose names are known already. */
  known?: readonly { id: string; name: string }[];
}

/** DevicesField takes devices, which are found by whatever they are known by. */
export function DevicesField({ value, change, known = [], ...props }: Props) {
  const [text, search] = useState('');
  const [q] = useDebouncedValue(text.trim(), 200);
  const found = useQuery(devicesQuery({ limit: offered, ...(q && { q }) }));
  // What was chosen stays by its name, also when another search does not find it.
  const [chosen, choose] = useState<Readonly<Record<string, string>>>({});
  const titles: Record<string, string> = { ...chosen };
  for (const d of [...known, ...(found.data?.items ?? [])]) titles[d.id] = d.name;
  // Until the hub has answered what was typed last, what it found before is not offered: Enter would take another device.
  const late = text.trim() !== q || found.isPlaceholderData;
  const options = [...new Set([...value, ...(found.data?.items.map((d) => d.id) ?? [])])];
  return (
    <MultiSelect
      placeholder={value.length === 0 ? 'Find by name, id or label' : undefined}
      searchable
      searchValue={text}
      onSearchChange={search}
      filter={({ options }) => (late ? [] : options)}
      hidePickedOptions
      data={options.map((id) => ({ value: id, label: titles[id] ?? id }))}
      limit={offered + value.length}
      nothingFoundMessage={late ? 'Searching …' : 'No device is known by that'}
      value={[...value]}
      onChange={(ids) => {
        choose(Object.fromEntries(ids.map((id) => [id, titles[id] ?? id])));
        change(ids);
      }}
      {...props}
    />
  );
}

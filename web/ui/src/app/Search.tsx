import { Combobox, Group, Kbd, Loader, Text, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { devicesQuery } from '../api/queries';
import { count } from '../kit/bytes';
import { State } from '../kit/State';

const shown = 8;

/** Search finds devices by whatever they are known by, fleet-wide. Enter goes to the list of all that were found. */
export function Search() {
  const [text, setText] = useState('');
  const [q] = useDebouncedValue(text.trim(), 150);
  const navigate = useNavigate();
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const { data, isFetching } = useQuery({ ...devicesQuery({ q, limit: shown }), enabled: q !== '' });
  const found = q === '' ? undefined : data;
  const done = () => {
    box.closeDropdown();
    setText('');
    document.querySelector<HTMLInputElement>('#fs-search')?.blur();
  };
  const all = () => {
    void navigate({ to: '/fleet', search: { q: text.trim() } });
    done();
  };
  return (
    <Combobox
      store={box}
      onOptionSubmit={(id) => {
        if (id === '') return all();
        void navigate({ to: '/devices/$device', params: { device: id } });
        done();
      }}
    >
      <Combobox.Target>
        <TextInput
          id="fs-search"
          aria-label="Search the fleet"
          placeholder="Search devices, labels, containers, images"
          leftSection={isFetching && q !== '' ? <Loader size={14} /> : <IconSearch size={16} aria-hidden />}
          rightSection={text === '' ? <Kbd visibleFrom="sm">/</Kbd> : undefined}
          flex={1}
          maw={560}
          maxLength={200}
          value={text}
          onChange={(e) => {
            setText(e.currentTarget.value);
            box.openDropdown();
          }}
          onFocus={() => text !== '' && box.openDropdown()}
          onBlur={() => box.closeDropdown()}
          onKeyDown={(e) => {
            if (e.key === 'Escape') done();
            if (e.key === 'Enter' && box.getSelectedOptionIndex() < 0 && text.trim() !== '') all();
          }}
        />
      </Combobox.Target>
      <Combobox.Dropdown hidden={!found}>
        <Combobox.Options>
          {found?.items.map((d) => (
            <Combobox.Option value={d.id} key={d.id}>
              <Group justify="space-between" wrap="nowrap" gap="xs">
                <div style={{ minWidth: 0 }}>
                  <Text size="sm" truncate className="fs-text">
                    {d.name}
                  </Text>
                  <Text size="xs" c="dimmed" truncate className="fs-text">
                    {d.found_in?.map((f) => `${f.kind} ${f.text}`).join(' · ') || d.group || d.id}
                  </Text>
                </div>
                <State kind="liveness" state={d.liveness.state} />
              </Group>
            </Combobox.Option>
          ))}
          {found && found.total > found.items.length && (
            <Combobox.Option value="">All {count(found.total, 'device')} in the fleet’s list</Combobox.Option>
          )}
          {found && found.total === 0 && <Combobox.Empty>No device is known by “{q}”</Combobox.Empty>}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

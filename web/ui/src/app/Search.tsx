import { Combobox, Group, Kbd, Loader, Text, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { asProblem } from '../api/problem';
import { devicesQuery } from '../api/queries';
import { count } from '../kit/bytes';
import { State } from '../kit/State';
import { jobsQuery } from '../pages/jobs/queries';
import { useMay } from './useMay';

const shown = 8;
// Ids of devices have no colon.
const job = 'job:';

/** Search finds devices by whatever they are known by, fleet-wide, and jobs by their names. Enter goes to the list of all that were found. */
export function Search() {
  const [text, setText] = useState('');
  const [q] = useDebouncedValue(text.trim(), 150);
  const navigate = useNavigate();
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const { data, isFetching, error } = useQuery({ ...devicesQuery({ q, limit: shown }), enabled: q !== '' });
  const found = q === '' ? undefined : data;
  const reads = useMay('jobs.read');
  const jobs = useQuery({ ...jobsQuery(false), enabled: reads && q !== '', staleTime: 30_000, refetchInterval: false });
  const named = q === '' ? [] : (jobs.data?.items ?? []).filter((j) => j.name.includes(q.toLowerCase())).slice(0, 3);
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
      // On a phone the field is too narrow for what is found.
      width="min(560px, calc(100vw - 16px))"
      position="bottom"
      middlewares={{ shift: { padding: 8 } }}
      onOptionSubmit={(id) => {
        if (id === '') return all();
        if (id.startsWith(job)) void navigate({ to: '/jobs/$job', params: { job: id.slice(job.length) } });
        else void navigate({ to: '/devices/$device', params: { device: id } });
        done();
      }}
    >
      <Combobox.Target>
        <TextInput
          id="fs-search"
          aria-label="Search the fleet"
          placeholder="Search devices, labels, containers, images, digests, jobs"
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
      <Combobox.Dropdown hidden={q === '' || (!found && !error)}>
        {error && <Combobox.Empty role="alert">{asProblem(error).message}</Combobox.Empty>}
        {!error && found?.total === 0 && named.length === 0 && (
          <Combobox.Empty>No device is known by “{q}”</Combobox.Empty>
        )}
        {!error && found && found.total + named.length > 0 && (
          <Combobox.Options aria-label="Found" mah="70dvh" style={{ overflowY: 'auto' }}>
            {named.map((j) => (
              <Combobox.Option value={`${job}${j.name}`} key={j.id}>
                <Text size="sm" truncate className="fs-text">
                  {j.name}
                </Text>
                <Text size="xs" c="dimmed" truncate className="fs-text">
                  Job: {j.words}
                </Text>
              </Combobox.Option>
            ))}
            {found.items.map((d) => (
              <Combobox.Option value={d.id} key={d.id}>
                <Group justify="space-between" wrap="nowrap" gap="xs">
                  <div style={{ minWidth: 0 }}>
                    <Text size="sm" truncate className="fs-text">
                      {d.name}
                    </Text>
                    <Text size="xs" c="dimmed" truncate className="fs-text">
                      {foundIn(d.found_in) || d.group || d.id}
                    </Text>
                  </div>
                  <State kind="liveness" state={d.liveness.state} />
                </Group>
              </Combobox.Option>
            ))}
            {found.total > 0 && (
              <Combobox.Option value="" py="xs">
                {found.total === 1
                  ? 'Show it in the fleet’s list'
                  : `Show all ${count(found.total, 'device')} in the fleet’s list`}
              </Combobox.Option>
            )}
          </Combobox.Options>
        )}
      </Combobox.Dropdown>
    </Combobox>
  );
}

/** foundIn says where a device was found, beyond its name, which is shown anyway. */
function foundIn(found: Schemas['FoundIn'][] | null | undefined): string {
  return (found ?? [])
    .filter((f) => f.kind !== 'name')
    .map((f) => `${f.kind} ${f.text}`)
    .join(' · ');
}

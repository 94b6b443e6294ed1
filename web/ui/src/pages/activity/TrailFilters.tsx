import { Button, Checkbox, Collapse, Group, NativeSelect, SimpleGrid } from '@mantine/core';
import { IconFilter, IconFilterOff } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { SearchField } from '../../kit/SearchField';
import { usePhone } from '../../kit/usePhone';
import { SinceField } from './SinceField';

const more = [
  { field: 'who', label: 'Who, exactly' },
  { field: 'op', label: 'Operation, such as stacks.' },
  { field: 'on', label: 'To what, such as stack web' },
  { field: 'group', label: 'In this group or below' },
] as const;

/** TrailFilters are kept in the address. The rarer ones are folded away until one is used. */
export function TrailFilters() {
  const search = useSearch({ from: '/inside/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const phone = usePhone();
  const used = more.some((m) => search[m.field]) || search.glass === true;
  const [open, setOpen] = useState(used);
  const size = phone ? 'md' : 'sm';
  const set = (change: Partial<typeof search>) => navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  return (
    <>
      <Group gap="sm" align="flex-end">
        <SearchField
          label="Search the audit trail"
          value={search.q}
          search={(q) => set({ q })}
          size={size}
          w={{ base: '100%', sm: 280 }}
        />
        <NativeSelect
          aria-label="Result"
          size={size}
          flex={{ base: 1, sm: 'initial' }}
          data={[
            { value: '', label: 'every result' },
            { value: 'done', label: 'done' },
            { value: 'refused', label: 'refused' },
            { value: 'failed', label: 'failed' },
          ]}
          value={search.result ?? ''}
          onChange={(e) =>
            set({ result: (['done', 'refused', 'failed'] as const).find((r) => r === e.currentTarget.value) })
          }
        />
        <SinceField />
        <Button
          variant="subtle"
          size={size}
          w={{ base: '100%', sm: 'auto' }}
          leftSection={<IconFilter size={16} aria-hidden />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {open ? 'Fewer filters' : 'More filters'}
        </Button>
        {used && (
          <Button
            variant="subtle"
            color="gray"
            size={size}
            leftSection={<IconFilterOff size={16} aria-hidden />}
            onClick={() => set({ who: undefined, op: undefined, on: undefined, group: undefined, glass: undefined })}
          >
            Without them
          </Button>
        )}
      </Group>
      <Collapse expanded={open}>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm">
          {more.map((m) => (
            <SearchField
              key={m.field}
              label={m.label}
              value={search[m.field]}
              search={(text) => set({ [m.field]: text })}
              size={size}
            />
          ))}
        </SimpleGrid>
        <Checkbox
          mt="sm"
          size={size}
          label="Only what was done with the break-glass account"
          checked={search.glass === true}
          onChange={(e) => set({ glass: e.currentTarget.checked || undefined })}
        />
      </Collapse>
    </>
  );
}

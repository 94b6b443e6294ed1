import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type ComponentType, useEffect, useRef } from 'react';
import { settingsSearch } from '../../app/search';
import { useOperations } from '../../app/useMay';
import { Page } from '../../kit/Page';
import { MyAccount } from '../account/MyAccount';
import { Access } from '../people/Access';
import { People } from '../people/People';
import { useLeads } from '../people/teams';
import { Appearance } from './Appearance';
import { AuditTrail } from './AuditTrail';
import { Backup } from './Backup';
import { Certificate } from './Certificate';
import { Hub } from './Hub';
import { Protection } from './Protection';
import { Registries } from './Registries';
import { Tokens } from './Tokens';

interface Place {
  value: string;
  label: string;
  shows: ComponentType;
  /** The operation that one has to be allowed to see it. */
  needs?: string;
}

// A place of the settings has a line here and a file beside this one.
const places: readonly Place[] = [
  { value: 'hub', label: 'Hub', shows: Hub },
  { value: 'certificate', label: 'Certificate', shows: Certificate, needs: 'hub.read' },
  { value: 'protection', label: 'Protection', shows: Protection, needs: 'hub.read' },
  { value: 'audit', label: 'Audit trail', shows: AuditTrail, needs: 'hub.read' },
  { value: 'backup', label: 'Backup', shows: Backup, needs: 'hub.read' },
  { value: 'registries', label: 'Registries', shows: Registries, needs: 'registries.read' },
  { value: 'people', label: 'People', shows: People },
  { value: 'access', label: 'Access', shows: Access, needs: 'access.read' },
  { value: 'account', label: 'My account', shows: MyAccount },
  { value: 'tokens', label: 'API tokens', shows: Tokens },
  { value: 'appearance', label: 'Appearance', shows: Appearance },
];

/** Settings are those of the hub and of this browser. */
export function Settings() {
  const { tab } = useSearch({ from: '/inside/settings' });
  const navigate = useNavigate({ from: '/settings' });
  const may = useOperations();
  const people = useLeads();
  const seen = places.filter((p) => (p.value === 'people' ? people : !p.needs || may.includes(p.needs)));
  const at = seen.find((p) => p.value === tab)?.value ?? 'hub';
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector(`[role="tab"][id$="-${at}"]`)?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [at]);
  return (
    <Page title="Settings">
      <Tabs value={at} onChange={(v) => navigate({ search: settingsSearch({ tab: v }) })} keepMounted={false}>
        <Tabs.List ref={list} style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
          {seen.map((p) => (
            <Tabs.Tab key={p.value} value={p.value} py="sm" px={{ base: 'xs', sm: 'md' }}>
              {p.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {seen.map((p) => (
          <Tabs.Panel key={p.value} value={p.value} pt="md">
            <p.shows />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}

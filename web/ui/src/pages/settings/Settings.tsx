import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { settingsSearch } from '../../app/search';
import { useMay } from '../../app/useMay';
import { Page } from '../../kit/Page';
import { MyAccount } from '../account/MyAccount';
import { Access } from '../people/Access';
import { People } from '../people/People';
import { Appearance } from './Appearance';
import { AuditTrail } from './AuditTrail';
import { Backup } from './Backup';
import { Certificate } from './Certificate';
import { Hub } from './Hub';
import { Profiles } from './Profiles';
import { Protection } from './Protection';
import { Tokens } from './Tokens';

// A place of the settings has a line here and a file beside this one.
const places = [
  { value: 'hub', label: 'Hub', shows: Hub },
  { value: 'certificate', label: 'Certificate', shows: Certificate },
  { value: 'protection', label: 'Protection', shows: Protection },
  { value: 'audit', label: 'Audit trail', shows: AuditTrail },
  { value: 'backup', label: 'Backup', shows: Backup },
  { value: 'profiles', label: 'Link profiles', shows: Profiles },
  { value: 'people', label: 'People', shows: People },
  { value: 'access', label: 'Access', shows: Access },
  { value: 'account', label: 'My account', shows: MyAccount },
  { value: 'tokens', label: 'API tokens', shows: Tokens },
  { value: 'appearance', label: 'Appearance', shows: Appearance },
] as const;

/** Settings are those of the hub and of this browser. */
export function Settings() {
  const { tab } = useSearch({ from: '/inside/settings' });
  const navigate = useNavigate({ from: '/settings' });
  const people = useMay('people.change');
  const access = useMay('access.read');
  const seen = places.filter((p) => (p.value !== 'people' || people) && (p.value !== 'access' || access));
  const at = seen.find((p) => p.value === tab) ?? places[0];
  return (
    <Page title="Settings">
      <Tabs value={at.value} onChange={(v) => navigate({ search: settingsSearch({ tab: v }) })} keepMounted={false}>
        <Tabs.List style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
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

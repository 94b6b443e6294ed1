import { Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMay } from '../../app/useMay';
import { Page } from '../../kit/Page';
import { Profiles } from './Profiles';
import { Use } from './Use';

/** Data is what devices spend on their links, and the profiles that say what they may. */
export function Data() {
  const search = useSearch({ from: '/inside/data' });
  const navigate = useNavigate({ from: '/data' });
  const profiles = useMay('profiles.read');
  return (
    <Page title="Data" about="What goes over the devices’ links, headers and all, and what may go over them.">
      <Tabs
        value={profiles ? (search.tab ?? 'use') : 'use'}
        onChange={(t) => navigate({ search: (s) => ({ ...s, tab: t === 'profiles' ? t : undefined }) })}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="use" py="sm">
            Use
          </Tabs.Tab>
          {profiles && (
            <Tabs.Tab value="profiles" py="sm">
              Link profiles
            </Tabs.Tab>
          )}
        </Tabs.List>
        <Tabs.Panel value="use" pt="md">
          <Use />
        </Tabs.Panel>
        <Tabs.Panel value="profiles" pt="md">
          <Profiles />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

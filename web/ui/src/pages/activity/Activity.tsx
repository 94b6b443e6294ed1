import { Stack, Tabs } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMay } from '../../app/useMay';
import { Page } from '../../kit/Page';
import { Events } from './Events';
import { Trail } from './Trail';

/** Activity is what people did, and what happened. */
export function Activity() {
  const { tab } = useSearch({ from: '/inside/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const audits = useMay('audit.read');
  return (
    <Page title="Activity">
      <Tabs
        value={audits ? (tab ?? 'audit') : 'events'}
        onChange={(v) =>
          navigate({
            search: (s) => ({ q: s.q, since: s.since, tab: v === 'events' ? ('events' as const) : undefined }),
          })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {audits && (
            <Tabs.Tab value="audit" py="sm">
              Audit trail
            </Tabs.Tab>
          )}
          <Tabs.Tab value="events" py="sm">
            Events, live
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="audit">
          <Stack gap="md">
            <Trail />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <Stack gap="md">
            <Events />
          </Stack>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

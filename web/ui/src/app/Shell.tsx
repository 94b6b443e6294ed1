import {
  ActionIcon,
  Anchor,
  AppShell,
  Badge,
  Box,
  Group,
  Menu,
  NavLink,
  Text,
  Tooltip,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import {
  IconActivity,
  IconCalendarClock,
  IconChartBar,
  IconDoorEnter,
  IconDotsVertical,
  IconHelp,
  IconKey,
  IconLogout,
  IconMoon,
  IconPackageImport,
  IconServer2,
  IconSettings,
  IconSitemap,
  IconStack2,
  IconStairsUp,
  IconSun,
  IconTags,
  IconUser,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouteContext } from '@tanstack/react-router';
import { useEffect } from 'react';
import { api, ok } from '../api/client';
import { asProblem } from '../api/problem';
import { sessionQuery, waitingQuery } from '../api/queries';
import { Help } from './Help';
import { useKeys } from './keys';
import { LiveMark } from './LiveMark';
import { Search } from './Search';
import { SignInAgain } from './SignInAgain';
import { useOperations } from './useMay';

// Every place, and the operation without which nothing is to be seen there.
const everyPlace = [
  { to: '/fleet', label: 'Fleet', icon: IconServer2, phone: true, needs: 'devices.read' },
  {
    to: '/waiting',
    label: 'Waiting room',
    short: 'Waiting',
    icon: IconDoorEnter,
    phone: true,
    needs: 'waiting.read',
  },
  { to: '/keys', label: 'Edge keys', short: 'Keys', icon: IconKey, phone: true, needs: 'keys.read' },
  { to: '/groups', label: 'Groups', icon: IconSitemap, phone: false, needs: 'groups.read' },
  { to: '/edge-groups', label: 'Edge groups', icon: IconTags, phone: false, needs: 'edge-groups.read' },
  { to: '/stacks', label: 'Stacks', icon: IconStack2, phone: true, needs: 'stacks.read' },
  { to: '/jobs', label: 'Jobs', icon: IconCalendarClock, phone: false, needs: 'jobs.read' },
  { to: '/rollouts', label: 'Rollouts', icon: IconStairsUp, phone: false, needs: 'stacks.read' },
  { to: '/updates', label: 'Updates', icon: IconPackageImport, phone: false, needs: 'updates.read' },
  { to: '/data', label: 'Data', icon: IconChartBar, phone: false, needs: 'devices.read' },
  { to: '/activity', label: 'Activity', icon: IconActivity, phone: false },
  { to: '/settings', label: 'Settings', icon: IconSettings, phone: false },
] as const;

/** usePlaces gives the places where the signed-in may see something. */
function usePlaces() {
  const may = useOperations();
  return everyPlace.filter((p) => !('needs' in p) || may.includes(p.needs));
}

/** Shell is what surrounds every page: search and the live mark on top, the places at the side, or below on a phone. */
export function Shell() {
  const [help, { open, close }] = useDisclosure();
  const { live } = useRouteContext({ from: '__root__' });
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, [live]);
  useKeys(open);
  const places = usePlaces();
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 212, breakpoint: 'sm', collapsed: { mobile: true } }}
      footer={{ height: { base: 56, sm: 0 } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <AppShell.Header>
        <Group h="100%" px="sm" gap="sm" wrap="nowrap">
          <Anchor component={Link} to="/fleet" underline="never" c="inherit" aria-label="Farshore: fleet">
            <Group gap={8} wrap="nowrap">
              <img src="icon.svg" width={28} height={28} alt="" />
              <Text fw={600} visibleFrom="sm" w={140}>
                Farshore
              </Text>
            </Group>
          </Anchor>
          <Search />
          <Box ml="auto">
            <LiveMark />
          </Box>
          <Tooltip label="Help and keys (?)">
            <ActionIcon variant="subtle" color="gray" onClick={open} aria-label="Help and keys" visibleFrom="sm">
              <IconHelp size={20} />
            </ActionIcon>
          </Tooltip>
          <Account help={open} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" component="nav" aria-label="Places">
        {places.map((p) => (
          <NavLink
            key={p.to}
            component={Link}
            to={p.to}
            label={p.label}
            leftSection={<p.icon size={18} stroke={1.6} aria-hidden />}
            rightSection={p.to === '/waiting' ? <WaitingCount /> : undefined}
            activeProps={{ 'data-active': true }}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main>
        <Outlet />
      </AppShell.Main>
      <AppShell.Footer hiddenFrom="sm">
        <Group component="nav" aria-label="Places" gap={0} wrap="nowrap" h="100%">
          {places
            .filter((p) => p.phone)
            .map((p) => (
              <Link key={p.to} to={p.to} className="fs-footer-link">
                <Box pos="relative">
                  <p.icon size={22} stroke={1.6} aria-hidden />
                  {p.to === '/waiting' && (
                    <Box pos="absolute" top={-6} left={16} w="max-content">
                      <WaitingCount />
                    </Box>
                  )}
                </Box>
                {'short' in p ? p.short : p.label}
              </Link>
            ))}
        </Group>
      </AppShell.Footer>
      <Help opened={help} close={close} />
      <SignInAgain />
    </AppShell>
  );
}

/** WaitingCount is how many devices wait; nothing where none does. */
function WaitingCount() {
  const { data } = useQuery(waitingQuery());
  const n = data?.items.length ?? 0;
  if (n === 0) return null;
  return (
    <Badge size="sm" color="orange.9" variant="filled" aria-label={`${n} waiting`}>
      {n > 99 ? '99+' : n}
    </Badge>
  );
}

/** Account is the menu of who is signed in, with the places that have no room on a phone. */
function Account({ help }: { help: () => void }) {
  const { data: session } = useQuery(sessionQuery);
  const { cache, live } = useRouteContext({ from: '__root__' });
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const navigate = useNavigate();
  const places = usePlaces();
  const signOut = async () => {
    try {
      await ok(api.DELETE('/api/v1/session'));
    } catch (e) {
      const p = asProblem(e);
      if (p.status !== 401) {
        notifications.show({ color: 'red', title: 'You are still signed in', message: p.message });
        return;
      }
    }
    live.stop();
    cache.clear();
    await navigate({ to: '/sign-in' });
  };
  return (
    <Menu width={220} position="bottom-end">
      <Menu.Target>
        <Tooltip label={session ? `Signed in as ${session.name}` : 'Account'}>
          <ActionIcon variant="subtle" color="gray" aria-label="Account and more">
            <IconUser size={20} className="mantine-visible-from-sm" />
            <IconDotsVertical size={20} className="mantine-hidden-from-sm" />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="fs-text">Signed in as {session?.name}</Menu.Label>
        <Menu.Item
          leftSection={<IconUser size={16} />}
          onClick={() => navigate({ to: '/settings', search: { tab: 'account' } })}
        >
          My account
        </Menu.Item>
        {places
          .filter((p) => !p.phone)
          .map((p) => (
            <Menu.Item key={p.to} hiddenFrom="sm" component={Link} to={p.to} leftSection={<p.icon size={16} />}>
              {p.label}
            </Menu.Item>
          ))}
        <Menu.Item
          closeMenuOnClick={false}
          leftSection={colorScheme === 'dark' ? <IconSun size={16} /> : <IconMoon size={16} />}
          onClick={() => setColorScheme(colorScheme === 'auto' ? 'dark' : colorScheme === 'dark' ? 'light' : 'auto')}
        >
          Colours: {colorScheme === 'auto' ? 'as the system' : colorScheme}
        </Menu.Item>
        <Menu.Item leftSection={<IconHelp size={16} />} onClick={help}>
          Help and keys
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={signOut}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

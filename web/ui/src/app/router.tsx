import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  isRedirect,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import { prefix } from '../api/client';
import { asProblem } from '../api/problem';
import { sessionQuery } from '../api/queries';
import type { Context } from './context';
import { NoSuchPage } from './NoSuchPage';
import { PageFailure, part } from './PageFailure';
import { Shell } from './Shell';
import {
  activitySearch,
  dataSearch,
  deviceSearch,
  edgeGroupsSearch,
  fleetSearch,
  groupsSearch,
  jobSearch,
  jobsSearch,
  keysSearch,
  settingsSearch,
  signInSearch,
  stackEditSearch,
  stackSearch,
  waitingSearch,
} from './search';

// Every page with its address. What a page shows is in the address: filters, tabs, times. Pages are loaded when they
// are first opened.

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NoSuchPage });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: signInSearch,
  component: lazyRouteComponent(() => part(import('../pages/session/SignIn')), 'SignIn'),
});

const firstStart = createRoute({
  getParentRoute: () => root,
  path: '/first-start',
  component: lazyRouteComponent(() => part(import('../pages/session/FirstStart')), 'FirstStart'),
});

const invited = createRoute({
  getParentRoute: () => root,
  path: '/invited',
  component: lazyRouteComponent(() => part(import('../pages/session/Invited')), 'Invited'),
});

const setUp = createRoute({
  getParentRoute: () => root,
  path: '/set-up',
  component: lazyRouteComponent(() => part(import('../pages/session/SetUp')), 'SetUp'),
});

/** All pages that need somebody signed in; who is not comes back to where they wanted to go. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      const session = await context.cache.ensureQueryData(sessionQuery);
      if (session.setup_needed) throw redirect({ to: '/set-up' });
    } catch (e) {
      if (isRedirect(e)) throw e;
      if (asProblem(e).status === 401) throw redirect({ to: '/sign-in', search: { to: location.href } });
      throw e;
    }
  },
  errorComponent: PageFailure,
});

const start = createRoute({
  getParentRoute: () => inside,
  path: '/',
  beforeLoad: async ({ context }) => {
    const { operations } = await context.cache.ensureQueryData(sessionQuery);
    const installs = !operations?.includes('devices.read') && operations?.includes('waiting.read');
    throw redirect({ to: installs ? '/waiting' : '/fleet', replace: true });
  },
});

const fleet = createRoute({
  getParentRoute: () => inside,
  path: '/fleet',
  validateSearch: fleetSearch,
  component: lazyRouteComponent(() => part(import('../pages/fleet/Fleet')), 'Fleet'),
});

const device = createRoute({
  getParentRoute: () => inside,
  path: '/devices/$device',
  validateSearch: deviceSearch,
  component: lazyRouteComponent(() => part(import('../pages/device/Device')), 'Device'),
});

const waiting = createRoute({
  getParentRoute: () => inside,
  path: '/waiting',
  validateSearch: waitingSearch,
  component: lazyRouteComponent(() => part(import('../pages/waiting/Waiting')), 'Waiting'),
});

const keys = createRoute({
  getParentRoute: () => inside,
  path: '/keys',
  validateSearch: keysSearch,
  component: lazyRouteComponent(() => part(import('../pages/keys/Keys')), 'Keys'),
});

const groups = createRoute({
  getParentRoute: () => inside,
  path: '/groups',
  validateSearch: groupsSearch,
  component: lazyRouteComponent(() => part(import('../pages/groups/Groups')), 'Groups'),
});

const edgeGroups = createRoute({
  getParentRoute: () => inside,
  path: '/edge-groups',
  validateSearch: edgeGroupsSearch,
  component: lazyRouteComponent(() => part(import('../pages/edgegroups/EdgeGroups')), 'EdgeGroups'),
});

const stacks = createRoute({
  getParentRoute: () => inside,
  path: '/stacks',
  component: lazyRouteComponent(() => part(import('../pages/stacks/Stacks')), 'Stacks'),
});

const newStack = createRoute({
  getParentRoute: () => inside,
  path: '/new-stack',
  validateSearch: stackEditSearch,
  component: lazyRouteComponent(() => part(import('../pages/stacks/NewStack')), 'NewStack'),
});

const stack = createRoute({
  getParentRoute: () => inside,
  path: '/stacks/$stack',
  validateSearch: stackSearch,
  component: lazyRouteComponent(() => part(import('../pages/stacks/Stack')), 'Stack'),
});

const editStack = createRoute({
  getParentRoute: () => inside,
  path: '/stacks/$stack/edit',
  validateSearch: stackEditSearch,
  component: lazyRouteComponent(() => part(import('../pages/stacks/EditStack')), 'EditStack'),
});

const jobs = createRoute({
  getParentRoute: () => inside,
  path: '/jobs',
  validateSearch: jobsSearch,
  component: lazyRouteComponent(() => part(import('../pages/jobs/Jobs')), 'Jobs'),
});

const newJob = createRoute({
  getParentRoute: () => inside,
  path: '/new-job',
  component: lazyRouteComponent(() => part(import('../pages/jobs/EditJob')), 'NewJob'),
});

const job = createRoute({
  getParentRoute: () => inside,
  path: '/jobs/$job',
  validateSearch: jobSearch,
  component: lazyRouteComponent(() => part(import('../pages/jobs/Job')), 'Job'),
});

const editJob = createRoute({
  getParentRoute: () => inside,
  path: '/jobs/$job/edit',
  component: lazyRouteComponent(() => part(import('../pages/jobs/EditJob')), 'EditJob'),
});

const rollouts = createRoute({
  getParentRoute: () => inside,
  path: '/rollouts',
  component: lazyRouteComponent(() => part(import('../pages/rollouts/Rollouts')), 'Rollouts'),
});

const updates = createRoute({
  getParentRoute: () => inside,
  path: '/updates',
  component: lazyRouteComponent(() => part(import('../pages/updates/Updates')), 'Updates'),
});

const update = createRoute({
  getParentRoute: () => inside,
  path: '/updates/$update',
  component: lazyRouteComponent(() => part(import('../pages/updates/Update')), 'Update'),
});

const data = createRoute({
  getParentRoute: () => inside,
  path: '/data',
  validateSearch: dataSearch,
  component: lazyRouteComponent(() => part(import('../pages/data/Data')), 'Data'),
});

const activity = createRoute({
  getParentRoute: () => inside,
  path: '/activity',
  validateSearch: activitySearch,
  component: lazyRouteComponent(() => part(import('../pages/activity/Activity')), 'Activity'),
});

const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  validateSearch: settingsSearch,
  beforeLoad: ({ search }) => {
    // Where link profiles were before they had more to say.
    if (search.tab === 'profiles') throw redirect({ to: '/data', search: { tab: 'profiles' }, replace: true });
  },
  component: lazyRouteComponent(() => part(import('../pages/settings/Settings')), 'Settings'),
});

const routeTree = root.addChildren([
  signIn,
  firstStart,
  invited,
  setUp,
  inside.addChildren([
    start,
    fleet,
    device,
    waiting,
    keys,
    groups,
    edgeGroups,
    stacks,
    newStack,
    stack,
    editStack,
    jobs,
    newJob,
    job,
    editJob,
    rollouts,
    updates,
    update,
    data,
    activity,
    settings,
  ]),
]);

/** newRouter makes the router of the console, which is served below prefix. */
export function newRouter(context: Context) {
  return createRouter({
    routeTree,
    context,
    basepath: prefix || '/',
    defaultPreload: 'intent',
    defaultErrorComponent: PageFailure,
    scrollRestoration: true,
    defaultStructuralSharing: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}

declare module '@tanstack/react-router' {
  interface HistoryState {
    /** A pairing code that was typed or scanned on the page, and did not come with a link. */
    typedCode?: string;
  }
}

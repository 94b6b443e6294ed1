// A simulated fleet with something of everything, always the same, for the pictures and for looking at every page.
import { makeRelease, startDayTwo } from './dayTwo.mjs';
import { Hub, until } from './programs.mjs';

// Sites with where they are. What is on the water lies along a route.
const sites = [
  { name: 'bremen', group: 'plants/bremen', devices: 8, labels: { line: 'packing' }, lat: 53.08, lon: 8.8 },
  { name: 'gdansk', group: 'plants/gdansk', devices: 6, labels: { line: 'filling' }, lat: 54.35, lon: 18.65 },
  { name: 'valparaiso', group: 'plants/valparaiso', devices: 4, labels: { line: 'filling' }, lat: -33.05, lon: -71.61 },
  { name: 'aurora', group: 'ships/aurora', devices: 5, labels: { link: 'satellite' }, lat: 61.2, lon: 1.5, step: 2.5 },
];

const images = 'registry.plant.example';

const telemetry = (version, more = '') => ({
  'compose.yml': `services:
  collect:
    image: ${images}/telemetry/collect:${version}
    restart: unless-stopped
    configs: [{source: points, target: /etc/collect/points.yml}]
  forward:
    image: ${images}/telemetry/forward:${version}
    restart: unless-stopped
    environment: {HUB: "\${UPSTREAM:-wss://telemetry.example}"}
    depends_on: [collect]${more}
configs:
  points: {file: ./points.yml}
`,
  'points.yml': `# What is measured, and how often.\n- {name: pressure, unit: bar, every: 10s}\n- {name: temperature, unit: °C, every: 30s}\n`,
});

const failing = {
  'compose.yml': `services:
  infer:
    image: ${images}/vision/infer:0.9.0
    labels: {farshore.test/fail: pull}
  capture:
    image: ${images}/vision/capture:0.9.0
`,
};

const slow = {
  'compose.yml': `services:
  charts:
    image: ${images}/bridge/charts:2026.11
    labels: {farshore.test/delay: 1h}
`,
};

/** startSample runs a hub with the fleet. It gives the hub, and the names that pages are opened by. */
export async function startSample() {
  const release = await makeRelease('v9.9.0');
  const hub = await Hub.start({ args: ['--release-key', release.publicKey] });
  await Promise.all(sites.map((site) => addSite(hub, site)));
  await Promise.all([waiting(hub), silent(hub), hub.key('spare-parts', { uses: 20, group: 'plants/bremen' })]);
  await stacks(hub);
  await moments(hub);
  const run = await jobs(hub);
  await hub.put('groups', { path: 'ships/aurora', profile: 'satellite' });
  await hub.put('edge-groups/canaries', {
    description: 'First to get what is new',
    selector: 'line=filling',
    devices: ['bremen-0001'],
  });
  await hub.put('edge-groups/bremen-arm', { group: 'plants/bremen', selector: 'farshore.io/arch in (arm64, arm-v7)' });
  const { id } = await hub.device('bremen-0001');
  await hub.put('groups/variables/SITE?path=plants', { value: 'a plant' });
  await hub.put('groups/variables/DB_PASSWORD?path=plants/bremen', { value: 'correct horse', secret: true });
  await hub.put(`devices/${id}/variables/SITE`, { value: 'bremen, hall 3' });
  const pulls = { user: 'fleet', password: 'correct horse', group: 'plants', note: 'may only pull' };
  await hub.post('registries', { name: 'Plants', address: images, ...pulls });
  return { hub, device: id, stack: 'telemetry', run, ...(await startDayTwo(hub, release)) };
}

async function addSite(hub, { name, group, devices, labels, lat, lon, step = 0.02 }) {
  await hub.simulate(name, devices, { key: { group, labels } });
  for (let i = 0; i < devices; i++) {
    const { id } = await hub.device(`${name}-000${i}`);
    const at = { 'farshore.io/lat': (lat + (i % 3) * step).toFixed(4), 'farshore.io/lon': (lon + i * step).toFixed(4) };
    // One device a site has no position yet.
    if (i !== devices - 1) await hub.patch(`devices/${id}`, { labels: at });
  }
}

/** waiting are devices that ask to be let in, and one that was told no. */
async function waiting(hub) {
  await hub.simulate('wells', 4, { wait: true, key: { group: 'wells', labels: { region: 'north' } } });
  const { items } = await hub.get('waiting');
  const no = items.find((w) => w.facts.hostname === 'wells-0003');
  await hub.post('waiting/reject', { ids: [no.id], block: false });
}

/** silent are devices that the hub has not heard of for longer than they should be silent, or never, or never again. */
async function silent(hub) {
  const sim = await hub.simulate('tromso', 3, { key: { group: 'plants/tromso' } });
  await sim.stop();
  const { id } = await hub.device('tromso-0002');
  await hub.post(`devices/${id}/revoke`);
  const knocking = await hub.simulate('hamburg', 1, { wait: true, key: { group: 'plants/hamburg' } });
  await knocking.stop();
  const { items } = await hub.get('waiting');
  const knocked = items.find((w) => w.facts.hostname === 'hamburg-0000');
  await hub.post('waiting/approve', { approvals: [{ id: knocked.id, name: 'hamburg-0000' }] });
}

async function stacks(hub) {
  const plants = 'line in (packing, filling)';
  await hub.apply('telemetry', telemetry('1.4.0'), { selector: plants, message: 'first' });
  await hub.apply('vision', failing, { selector: 'line=filling', message: 'quality control on the filling lines' });
  await hub.apply('navigation', slow, { selector: 'link=satellite', message: 'charts of November' });
  const running = (n, state) => async () => {
    const { items } = await hub.get('stacks');
    return Object.entries(n).every(([name, want]) => items.find((s) => s.name === name).states?.[state] === want);
  };
  await until('telemetry runs', running({ telemetry: 18 }, 'running'));
  await hub.apply('telemetry', telemetry('1.5.0'), { selector: plants, message: 'forward buffers for two days' });
  await until('telemetry runs anew', running({ telemetry: 18 }, 'running'));
  await until('vision fails', running({ vision: 10 }, 'failed'));
  await hub.apply('telemetry', telemetry('1.6.0'), {
    selector: plants,
    message: 'fewer bytes over the link',
    plan: { batch: '6', doubling: true, soak_seconds: 3600 },
  });
  await until(
    'the first batch is watched',
    async () => (await hub.get('stacks/telemetry')).rollout.phase === 'soaking',
  );
}

/** moments are what has happened to one device: commands, and a container that was stopped. */
async function moments(hub) {
  const { id } = await hub.device('bremen-0001');
  const { snapshot } = await hub.get(`devices/${id}/snapshot`);
  const [first] = snapshot.containers;
  for (const command of [
    { kind: 'container.stop', target: first.name },
    { kind: 'container.restart', target: 'nobody' },
    { kind: 'snapshot' },
  ]) {
    const given = await hub.post(`devices/${id}/commands`, command);
    await until(`${command.kind} has ended`, async () => (await hub.get(`commands/${given.id}`)).final);
  }
}

/** jobs are some with a schedule, of which one fails, and a script that was run once. It gives a run that wrote something. */
async function jobs(hub) {
  const put = (name, lines, more) =>
    hub.put(`jobs/${name}`, {
      script: ['#!/bin/sh', ...lines, ''].join('\n'),
      selector: 'line=filling',
      output: 'always',
      ...more,
    });
  const nightly = { kind: 'cron', cron: '0 2 * * *', zone: 'device', jitter_seconds: 900 };
  await put('disk-report', ['#: takes 100ms', '#: exits 0', '#: says 400', 'df -h /'], {
    schedule: nightly,
    message: 'disks filled up in October',
    env: { WARN_AT: '90' },
  });
  await put('rotate-logs', ['#: takes 100ms', '#: exits 3', '#: says 80', 'logrotate /etc/logrotate.conf'], {
    schedule: { kind: 'cron', cron: '30 4 * * 1-5', zone: 'hub' },
  });
  await put('measure-link', ['#: takes 1h', 'measure'], {
    schedule: { kind: 'manual' },
    container: { image: `${images}/tools/measure:1` },
    secret: ['TOKEN'],
    env: { TOKEN: 'correct horse' },
  });
  const { id } = await hub.device('gdansk-0001');
  const lines = '#!/bin/sh\n#: takes 100ms\n#: exits 0\n#: says 200\nuptime\n';
  await hub.post(`devices/${id}/script`, { script: lines });
  for (const job of ['disk-report', 'rotate-logs']) {
    await until(`${job} is on devices`, async () => (await hub.get(`jobs/${job}`)).assigned === 10);
    await hub.post(`jobs/${job}/run`, { all: true });
  }
  await until('they ran', async () => {
    const { items } = await hub.get('jobs');
    return items.reduce((n, j) => n + j.last.done + j.last.failed, 0) === 20;
  });
  const [{ device, run }] = (await hub.get('jobs/rotate-logs/runs?limit=1')).items;
  return `of=${device}&run=${run}`;
}

/** places are all pages by name and address, which is below the hub's, and what on them is no fault. */
export function places({ device, stack, run, update, link }) {
  const setting = (name) => [`settings-${name}`, `settings?tab=${name}`];
  const tab = (name) => [`device-${name}`, `devices/${device}?tab=${name}`];
  return [
    ['fleet', 'fleet'],
    ['fleet-search', 'fleet?q=influxdb&sort=name'],
    ['fleet-empty', 'fleet?q=nothing-is-called-so'],
    ['fleet-map', 'fleet?view=map'],
    ['device', `devices/${device}`],
    ...['containers', 'images', 'volumes', 'networks', 'stacks', 'jobs', 'data', 'timeline', 'settings'].map(tab),
    ['device-unknown', 'devices/nobody', /status of 404/],
    ['waiting', 'waiting'],
    ['waiting-rejected', 'waiting?state=rejected'],
    ['waiting-code', 'waiting?code=0000-0000'],
    ['keys', 'keys'],
    ['groups', 'groups'],
    ['group', 'groups?path=plants/bremen'],
    ['group-policy', 'groups?path=plants'],
    ['edge-groups', 'edge-groups'],
    ['edge-group', 'edge-groups?name=canaries'],
    ['edge-group-unknown', 'edge-groups?name=nobody', /status of 404/],
    ['stacks', 'stacks'],
    ['stack', `stacks/${stack}`],
    ['stack-versions', `stacks/${stack}?tab=versions`],
    ['stack-groups', `stacks/${stack}?tab=groups`],
    ['stack-rollouts', `stacks/${stack}?tab=rollouts`],
    ['stack-batch', `stacks/${stack}?batch=1`],
    ['stack-bundle', `stacks/${stack}?bundle=${device}`],
    ['rollouts', 'rollouts'],
    ['stack-files', `stacks/${stack}?tab=files`],
    ['stack-failing', 'stacks/vision'],
    ['stack-edit', `stacks/${stack}/edit`],
    ['stack-new', 'new-stack'],
    ['jobs', 'jobs'],
    ['jobs-once', 'jobs?tab=once'],
    ['job', 'jobs/disk-report'],
    ['job-run', `jobs/rotate-logs?${run}`],
    ['job-devices', 'jobs/measure-link?tab=devices'],
    ['job-definition', 'jobs/disk-report?tab=definition'],
    ['job-versions', 'jobs/disk-report?tab=versions'],
    ['job-unknown', 'jobs/nobody', /status of 404/],
    ['job-new', 'new-job'],
    ['job-edit', 'jobs/measure-link/edit'],
    ['data', 'data'],
    ['data-profiles', 'data?tab=profiles'],
    ['activity', 'activity'],
    ['activity-events', 'activity?tab=events'],
    ['activity-filters', 'activity?glass=true&op=settings.'],
    ['updates', 'updates'],
    ['update', `updates/${update}`],
    ['update-unknown', 'updates/nothing', /status of 404/],
    ['settings', 'settings'],
    ...['certificate', 'protection', 'audit', 'backup', 'registries', 'people', 'access'].map(setting),
    ...['account', 'tokens', 'appearance'].map(setting),
    ['sign-in', 'sign-in'],
    ['invited', `invited${link}`],
    ['no-such-page', 'nowhere'],
  ];
}

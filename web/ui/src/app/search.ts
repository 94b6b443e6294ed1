// What each page keeps in the address behind the question mark. Whatever is there was typed or pasted by somebody: what
// does not fit is left out.

type Raw = Record<string, unknown>;

const text = (v: unknown, most = 500): string | undefined => {
  const s = typeof v === 'number' || typeof v === 'boolean' ? String(v) : v;
  return typeof s === 'string' && s !== '' && s.length <= most ? s : undefined;
};

const oneOf = <T extends string>(v: unknown, all: readonly T[]): T | undefined => all.find((a) => a === v);

const whole = (v: unknown): number | undefined => {
  const n = Number(text(v, 20));
  return Number.isSafeInteger(n) && n > 0 ? n : undefined;
};

/** defined leaves out what is undefined, so that addresses stay short. */
function defined<T extends object>(o: T): Partial<T> {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as Partial<T>;
}

export const signInSearch = (s: Raw): { to?: string } => defined({ to: text(s.to, 2000) });

export const settingsSearch = (s: Raw): { tab?: string } => defined({ tab: text(s.tab, 20) });

/** What the Data page shows: its tab, and of use which devices, since when, and how it is listed. */
export const dataSearch = (s: Raw) =>
  defined({
    tab: oneOf(s.tab, ['profiles']),
    group: text(s.group, 512),
    selector: text(s.selector, 2000),
    since: oneOf(s.since, ['24h', '48h', '7d', '30d', '90d', '400d']),
    sort: oneOf(s.sort, ['spent', 'projected', 'share']),
    stage: oneOf(s.stage, ['free', 'saving', 'last', 'silent']),
    over: s.over === true || s.over === 'true' ? true : undefined,
  });

export const activitySearch = (s: Raw) =>
  defined({
    tab: oneOf(s.tab, ['events']),
    q: text(s.q, 200),
    result: oneOf(s.result, ['done', 'refused', 'failed']),
    /** The beginning of the kinds of events. */
    kind: text(s.kind, 40),
    since: oneOf(s.since, ['1h', '24h', '7d', '30d']),
    /** Of the audit trail: who, which operation, to what, in which group, and by the break-glass account only. */
    who: text(s.who, 200),
    op: text(s.op, 80),
    on: text(s.on, 200),
    group: text(s.group, 512),
    glass: s.glass === true || s.glass === 'true' ? true : undefined,
  });

export const fleetSearch = (s: Raw) =>
  defined({
    q: text(s.q, 200),
    selector: text(s.selector, 2000),
    /** Liveness, apart by commas. */
    state: text(s.state, 100),
    group: text(s.group),
    mode: oneOf(s.mode, ['async', 'standard']),
    profile: text(s.profile),
    version: text(s.version),
    stack: text(s.stack),
    /** How far devices are through their budget. */
    stage: oneOf(s.stage, ['free', 'saving', 'last', 'silent']),
    trouble: s.trouble === true || s.trouble === 'true' ? true : undefined,
    sort: text(s.sort, 40),
    /** Columns that are not shown, apart by commas. */
    hide: text(s.hide, 200),
    view: oneOf(s.view, ['map']),
  });

export const deviceSearch = (s: Raw) =>
  defined({
    tab: text(s.tab, 40),
    /** The time as of which the snapshot is shown, RFC 3339. */
    as_of: text(s.as_of, 40),
    /** A time to compare that snapshot with. */
    with: text(s.with, 40),
    q: text(s.q),
    kind: text(s.kind, 40),
    /** What is open at the side: a container by its id, a command by its id. */
    container: text(s.container, 80),
    command: text(s.command, 80),
    /** A job, and its run; without the run, its latest on the device. */
    job: text(s.job, 63),
    run: whole(s.run),
  });

export const waitingSearch = (s: Raw) =>
  defined({
    /** A pairing code, from the QR code that a device shows. */
    code: text(s.code, 40),
    state: oneOf(s.state, ['rejected', 'blocked', 'all']),
    q: text(s.q),
  });

export const groupsSearch = (s: Raw) =>
  defined({
    /** The group that is shown; '' is the root. */
    path: s.path === '' ? '' : text(s.path, 512),
    /** A selector that is tried out. */
    selector: text(s.selector, 2000),
  });

/** The edge group that is shown. */
export const edgeGroupsSearch = (s: Raw) => defined({ name: text(s.name, 63) });

export const keysSearch = (s: Raw) => defined({ new: s.new === true || s.new === 'true' ? true : undefined });

export const stackSearch = (s: Raw) =>
  defined({
    tab: text(s.tab, 40),
    /** States, apart by commas. */
    state: text(s.state, 100),
    q: text(s.q),
    /** Versions that are looked at, and compared with. */
    version: text(s.version, 20),
    with: text(s.with, 20),
    file: text(s.file),
    /** Only devices of this batch, of this rollout; absent: of the latest. */
    batch: whole(s.batch),
    rollout: whole(s.rollout),
    /** The device whose bundle is looked at. */
    bundle: text(s.bundle, 80),
  });

/** Of the list of jobs: its tab, what is searched for, and whether only those that fail are shown. */
export const jobsSearch = (s: Raw) =>
  defined({
    tab: oneOf(s.tab, ['once']),
    q: text(s.q, 200),
    failing: s.failing === true || s.failing === 'true' ? true : undefined,
  });

/** Of a job: its tab, states of runs, a device, and the run whose output is open. */
export const jobSearch = (s: Raw) =>
  defined({
    tab: text(s.tab, 20),
    state: text(s.state, 20),
    device: text(s.device, 80),
    of: text(s.of, 80),
    run: whole(s.run),
  });

export const stackEditSearch = (s: Raw) =>
  defined({ file: text(s.file), from: text(s.from, 20), step: oneOf(s.step, ['review']) });

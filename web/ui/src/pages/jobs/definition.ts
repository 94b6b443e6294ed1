import type { Schemas } from '../../api/client';
import { onTop } from '../../kit/merge';
import { type Owned, ownedOf, ownerOf, sameOwner, wrongOwner } from '../stacks/editor/owner';
import type { Job } from './queries';
import { formOf, newSchedule, type ScheduleForm, scheduleOf, wrongSchedule } from './schedule';

type Body = Schemas['PutJob'];
type Container = Schemas['JobContainer'];

/** WorkForm is what is run, and in what, as it is typed. */
export interface WorkForm {
  script: string;
  where: 'host' | 'container';
  image: string;
  pull: NonNullable<Container['pull']>;
  network: string;
  /** A line for each: /on/the/device:/in/the/container[:ro]; or a volume's name in place of the first path. */
  mounts: string;
  cpus: string;
  memory: string;
  /** A line for each. */
  args: string;
  /** A line for each: NAME=value, or NAME for one that keeps its value. */
  env: string;
  secrets: string;
  user: string;
  dir: string;
}

/** DefinitionForm is a job as it is typed. */
export interface DefinitionForm extends WorkForm, Owned {
  name: string;
  group: string;
  /** All devices of the group are meant, whatever selector, include and devices say. */
  everywhere: boolean;
  selector: string;
  include: readonly string[];
  exclude: readonly string[];
  /** Ids. */
  devices: readonly string[];
  schedule: ScheduleForm;
  timeout: string;
  retries: string;
  delay: string;
  overlap: NonNullable<Body['overlap']>;
  missed: NonNullable<Body['missed']>;
  missedLimit: string;
  output: NonNullable<Body['output']>;
  cap: string;
  message: string;
}

export const newWork = (where: WorkForm['where']): WorkForm => ({
  script: '#!/bin/sh\n',
  where,
  image: '',
  pull: 'missing',
  network: '',
  mounts: '',
  cpus: '',
  memory: '',
  args: '',
  env: '',
  secrets: '',
  user: '',
  dir: '',
});

/** newDefinition is what a new job begins with, where whoever makes it may run scripts on hosts, or in containers only. */
export const newDefinition = (where: WorkForm['where']): DefinitionForm => ({
  ...newWork(where),
  name: '',
  group: '',
  visibility: '',
  account: '',
  team: '',
  everywhere: false,
  selector: '',
  include: [],
  exclude: [],
  devices: [],
  schedule: newSchedule(),
  timeout: '60',
  retries: '0',
  delay: '60',
  overlap: 'skip',
  missed: 'skip',
  missedLimit: '10',
  output: 'on-failure',
  cap: '64',
  message: '',
});

/** What the fields are called, where two people have changed the same job. */
export const fieldNames: Record<keyof DefinitionForm, string> = {
  name: 'Name',
  group: 'Home group',
  visibility: 'Who reaches it',
  account: 'Whose',
  team: 'Team',
  everywhere: 'All devices',
  selector: 'Selector',
  include: 'Edge groups',
  exclude: 'Edge groups left out',
  devices: 'Devices by name',
  script: 'Script',
  where: 'Where it runs',
  image: 'Image',
  pull: 'Image is asked for',
  network: 'Network',
  mounts: 'Mounts',
  cpus: 'Processors',
  memory: 'Memory',
  args: 'Arguments',
  env: 'Variables',
  secrets: 'Secret variables',
  user: 'User',
  dir: 'Working folder',
  schedule: 'When',
  timeout: 'Time limit',
  retries: 'Retries',
  delay: 'Between retries',
  overlap: 'Overlap',
  missed: 'Missed runs',
  missedLimit: 'At most',
  output: 'Output',
  cap: 'Output of a run at most',
  message: 'Message',
};

/** flat gives the fields as text, as they are compared and merged. */
export const flat = (f: DefinitionForm): Record<string, string> =>
  Object.fromEntries(Object.entries(f).map(([k, v]) => [k, typeof v === 'string' ? v : JSON.stringify(v)]));

/** mergedOn gives what is there now with what was typed since base on top of it. */
export function mergedOn(base: DefinitionForm, mine: DefinitionForm, theirs: DefinitionForm): DefinitionForm {
  const merged = onTop(flat(base), flat(mine), flat(theirs));
  const typed = (k: string) => typeof mine[k as keyof DefinitionForm] === 'string';
  return Object.fromEntries(
    Object.entries(merged).map(([k, v]) => [k, typed(k) ? v : JSON.parse(v)]),
  ) as unknown as DefinitionForm;
}

/** What each rule means, in one sentence. */
export const ruleWords = {
  overlap: {
    skip: 'A run that is due while the one before still goes on is skipped.',
    queue: 'A run that is due while the one before still goes on waits for its end.',
    kill: 'A run that is due ends the one before that still goes on.',
  },
  missed: {
    skip: 'What was due while the device was off does not run.',
    once: 'If anything was due while the device was off, it runs once.',
    all: 'What was due while the device was off all runs, one after the other, up to a number.',
  },
  output: {
    'on-failure': 'Output is sent to the hub when a run fails; else it stays on the device for a while.',
    always: 'Output of every run is sent to the hub.',
    'on-request': 'Output stays on the device until somebody asks for it.',
    never: 'Output stays on the device.',
  },
} as const;

const lines = (text: string) => text.split('\n').filter((l) => l.trim() !== '');

/** Pairs are variables as they are typed: those with values, and the names of those that keep theirs. */
interface Pairs {
  values: Record<string, string>;
  kept: string[];
}

/** pairsOf reads lines of NAME=value and NAME; undefined: a line is neither. */
export function pairsOf(text: string): Pairs | undefined {
  const out: [string, string][] = [];
  const kept: string[] = [];
  for (const line of lines(text)) {
    const m = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=(.*))?$/.exec(line);
    if (!m?.[1]) return undefined;
    if (m[2] === undefined) kept.push(m[1]);
    else out.push([m[1], m[3] ?? '']);
  }
  return { values: Object.fromEntries(out), kept };
}

const numberIn = (text: string, least: number, most: number) => {
  const n = Number(text.trim());
  return text.trim() !== '' && Number.isFinite(n) && n >= least && n <= most ? n : undefined;
};

/** hintOf says of a script what its first line asks for, or lacks. */
export function hintOf(script: string): { wrong: boolean; words: string } {
  const first = script.split('\n', 1)[0] ?? '';
  const program = /^#!\s*(\S+)(?:\s+(\S+))?/.exec(first.trimEnd());
  if (script.includes('\r')) {
    return { wrong: true, words: 'Its lines end as on Windows (CRLF): the interpreter would not be found.' };
  }
  if (!program) {
    return {
      wrong: true,
      words: 'Its first line has to name the interpreter, such as #!/bin/sh or #!/usr/bin/env python3.',
    };
  }
  if (!program[1]?.startsWith('/'))
    return { wrong: true, words: 'Name the interpreter by its whole path, such as /bin/sh.' };
  const run = program[1].endsWith('/env') && program[2] ? program[2] : program[1];
  return { wrong: false, words: `Run by ${run}.` };
}

export type Wrong<T> = Partial<Record<keyof T, string>>;

/** wrongWork says by field what has to be typed otherwise of what is run. has are the variables that have values now. */
export function wrongWork(f: WorkForm, has: { env: readonly string[]; secrets: readonly string[] }): Wrong<WorkForm> {
  const out: Wrong<WorkForm> = {};
  const own = f.where === 'container' && f.script.trim() === '';
  if (!own && hintOf(f.script).wrong) out.script = hintOf(f.script).words;
  if (f.where === 'container') {
    if (f.image.trim() === '') out.image = 'Name an image, such as alpine:3.22.';
    if (mountsOf(f.mounts) === undefined)
      out.mounts = 'Write /on/the/device:/in/the/container on each line, with :ro behind it to read only.';
    if (f.cpus.trim() && numberIn(f.cpus, 0.001, 1024) === undefined)
      out.cpus = 'Type a number of processors, such as 0.5.';
    if (f.memory.trim() && numberIn(f.memory, 6, 1e7) === undefined) out.memory = 'Type 6 MB or more.';
  }
  for (const field of ['env', 'secrets'] as const) {
    const pairs = pairsOf(f[field]);
    const none = pairs?.kept.find((name) => !has[field].includes(name));
    if (!pairs) out[field] = 'Write NAME=value on each line.';
    else if (none) out[field] = `${none} has no value to keep: write ${none}=value.`;
  }
  return out;
}

/** wrongDefinition says by field what has to be typed otherwise. base is the job that is changed. */
export function wrongDefinition(f: DefinitionForm, base?: Job): Wrong<DefinitionForm> {
  const out: Wrong<DefinitionForm> = wrongWork(f, { env: Object.keys(base?.env ?? {}), secrets: base?.secret ?? [] });
  if (!/^[a-z0-9_-]{1,63}$/.test(f.name)) out.name = 'Use 1 to 63 of a to z, 0 to 9, - and _.';
  const somebody = f.selector.trim() !== '' || f.include.length > 0 || f.devices.length > 0;
  if (!f.everywhere && !somebody && !base?.unseen_edge_groups)
    out.selector = 'Write a selector, or choose edge groups or devices.';
  const owner = wrongOwner(f);
  if (owner) out.team = owner;
  if (numberIn(f.timeout, 1 / 60, 43_200) === undefined) out.timeout = 'Type minutes, up to 43,200.';
  if (!Number.isInteger(numberIn(f.retries, 0, 100))) out.retries = 'Type a number from 0 to 100.';
  if (!Number.isInteger(numberIn(f.delay, 1, 86_400))) out.delay = 'Type whole seconds, up to a day.';
  if (f.missed === 'all' && !Number.isInteger(numberIn(f.missedLimit, 1, 1000)))
    out.missedLimit = 'Type a number from 1 to 1000.';
  if (numberIn(f.cap, 0.001, 1048.576) === undefined) out.cap = 'Type up to 1,048 kB.';
  return out;
}

function mountsOf(text: string): Schemas['ProtocolJobMount'][] | undefined {
  const out: Schemas['ProtocolJobMount'][] = [];
  for (const line of lines(text)) {
    const m = /^\s*([^:]+):(\/[^:]*?)(:ro)?\s*$/.exec(line);
    if (!m?.[1] || !m[2]) return undefined;
    out.push({ source: m[1], target: m[2], ...(m[3] && { read_only: true }) });
  }
  return out;
}

/** workOf gives what is run as the API takes it. */
export function workOf(f: WorkForm) {
  const [cpus, memory] = [numberIn(f.cpus, 0.001, 1024), numberIn(f.memory, 6, 1e7)];
  const mounts = mountsOf(f.mounts);
  const container: Container = {
    image: f.image.trim(),
    pull: f.pull,
    ...(mounts && mounts.length > 0 && { mounts }),
    ...(f.network.trim() && { network: f.network.trim() }),
    ...(cpus !== undefined && { milli_cpus: Math.round(cpus * 1000) }),
    ...(memory !== undefined && { memory: Math.round(memory * 1e6) }),
  };
  const [env, secrets] = [pairsOf(f.env), pairsOf(f.secrets)];
  const secret = [...Object.keys(secrets?.values ?? {}), ...(secrets?.kept ?? [])].sort();
  return {
    ...(f.script.trim() && { script: f.script }),
    ...(f.where === 'container' && { container }),
    ...(lines(f.args).length > 0 && { args: lines(f.args) }),
    env: { ...env?.values, ...secrets?.values },
    ...(secret.length > 0 && { secret }),
    ...(f.user.trim() && { user: f.user.trim() }),
    ...(f.dir.trim() && { dir: f.dir.trim() }),
  };
}

/** definitionOf gives what is typed as the API takes it; undefined: something is wrong. base is the job that is changed. */
export function definitionOf(f: DefinitionForm, base?: Job): Body | undefined {
  const schedule = scheduleOf(f.schedule);
  if (
    !schedule ||
    Object.keys(wrongDefinition(f, base)).length > 0 ||
    Object.keys(wrongSchedule(f.schedule)).length > 0
  )
    return undefined;
  const kept = pairsOf(f.env)?.kept ?? [];
  const same = f.visibility === '' || (base?.owner && sameOwner(ownedOf(base.owner), f));
  return {
    ...workOf(f),
    ...(kept.length > 0 && { keep_env: kept }),
    group: f.group.trim().replace(/^\/+|\/+$/g, ''),
    ...(!same && { owner: ownerOf(f) }),
    ...(!f.everywhere && {
      ...(f.selector.trim() && { selector: f.selector.trim() }),
      ...(f.include.length > 0 && { include: [...f.include] }),
      ...(f.devices.length > 0 && { devices: [...f.devices] }),
    }),
    ...(f.exclude.length > 0 && { exclude: [...f.exclude] }),
    ...(f.message.trim() && { message: f.message.trim() }),
    schedule,
    timeout_seconds: Math.round(Number(f.timeout) * 60),
    retries: Number(f.retries),
    retry_delay_seconds: Number(f.delay),
    overlap: f.overlap,
    missed: f.missed,
    ...(f.missed === 'all' && { missed_limit: Number(f.missedLimit) }),
    output: f.output,
    output_cap: Math.round(Number(f.cap) * 1000),
  };
}

/** formOfJob reads a job into the fields. Values that are not shown, and those of several lines, stay as they are. */
export function formOfJob(j: Job): DefinitionForm {
  const c = j.container;
  const [include, exclude, devices] = [j.include ?? [], j.exclude ?? [], j.devices ?? []];
  return {
    ...newDefinition(c ? 'container' : 'host'),
    ...(j.owner && ownedOf(j.owner)),
    name: j.name,
    group: j.group ?? '',
    everywhere: !j.selector && include.length + devices.length === 0 && !j.unseen_edge_groups,
    selector: j.selector ?? '',
    include,
    exclude,
    devices,
    script: j.script ?? '',
    image: c?.image ?? '',
    pull: c?.pull ?? 'missing',
    network: c?.network ?? '',
    mounts: (c?.mounts ?? []).map((m) => `${m.source}:${m.target}${m.read_only ? ':ro' : ''}`).join('\n'),
    cpus: c?.milli_cpus ? String(c.milli_cpus / 1000) : '',
    memory: c?.memory ? String(c.memory / 1e6) : '',
    args: (j.args ?? []).join('\n'),
    env: Object.entries(j.env ?? {})
      .map(([k, v]) => (j.masked || v.includes('\n') ? k : `${k}=${v}`))
      .join('\n'),
    secrets: (j.secret ?? []).join('\n'),
    user: j.user ?? '',
    dir: j.dir ?? '',
    schedule: formOf(j.schedule),
    timeout: String((j.timeout_seconds || 3600) / 60),
    retries: String(j.retries ?? 0),
    delay: String(j.retry_delay_seconds || 60),
    overlap: j.overlap ?? 'skip',
    missed: j.missed ?? 'skip',
    missedLimit: String(j.missed_limit ?? 10),
    output: j.output ?? 'on-failure',
    cap: String((j.output_cap || 65_536) / 1000),
  };
}

import { asProblem } from '../../api/problem';
import type { DefinitionForm, Wrong } from './definition';
import type { ScheduleForm } from './schedule';

// Which field of the form a field of the API is on; see JobDefinition of the API.
const places: Record<string, keyof DefinitionForm> = {
  script: 'script',
  args: 'args',
  env: 'env',
  keep_env: 'env',
  secret: 'secrets',
  user: 'user',
  dir: 'dir',
  devices: 'devices',
  selector: 'selector',
  group: 'group',
  'container.image': 'image',
  'container.pull': 'pull',
  'container.network': 'network',
  'container.mounts': 'mounts',
  'container.milli_cpus': 'cpus',
  'container.memory': 'memory',
  timeout_seconds: 'timeout',
  retries: 'retries',
  retry_delay_seconds: 'delay',
  missed_limit: 'missedLimit',
  output_cap: 'cap',
  message: 'message',
};

const times: Record<string, keyof ScheduleForm> = {
  cron: 'cron',
  at: 'at',
  zone: 'zoneName',
  jitter_seconds: 'jitter',
  start: 'start',
  end: 'end',
};

/** refusedOf says by field of the form what the hub said of those of the API. */
export function refusedOf(error: unknown): {
  fields: Wrong<DefinitionForm>;
  schedule: Partial<Record<keyof ScheduleForm, string>>;
} {
  const [fields, schedule]: [Wrong<DefinitionForm>, Partial<Record<keyof ScheduleForm, string>>] = [{}, {}];
  for (const f of error ? asProblem(error).fields : []) {
    const place = f.location.replace(/^body\./, '').replace(/\[\d+\].*$/, '');
    const time = place.startsWith('schedule.') && times[place.slice('schedule.'.length)];
    const field = places[place];
    if (time) schedule[time] = f.message;
    else if (field) fields[field] = f.message;
  }
  return { fields, schedule };
}

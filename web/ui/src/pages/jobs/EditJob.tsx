import './jobs.css';
import { Button, Fieldset, Group, NativeSelect, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { asProblem } from '../../api/problem';
import { useMay } from '../../app/useMay';
import { Conflict } from '../../kit/Conflict';
import { Failure } from '../../kit/Failure';
import { Leaving } from '../../kit/Leaving';
import { LinkButton } from '../../kit/links';
import { differences } from '../../kit/merge';
import { Page } from '../../kit/Page';
import {
  type DefinitionForm,
  definitionOf,
  fieldNames,
  flat,
  formOfJob,
  mergedOn,
  newDefinition,
  ruleWords,
  wrongDefinition,
} from './definition';
import { act, type Job, jobQuery } from './queries';
import { refusedOf } from './refused';
import { ScheduleFields } from './ScheduleFields';
import { WhomFields } from './WhomFields';
import { WorkFields } from './WorkFields';

/** NewJob makes a job. */
export function NewJob() {
  return (
    <Page title="New job" about="A script with a schedule, which devices run by their own clock.">
      <Form base={undefined} />
    </Page>
  );
}

/** EditJob changes a job: what is saved is its next version, which counts from the next run on. */
export function EditJob() {
  const { job: name } = useParams({ from: '/inside/jobs/$job/edit' });
  const { data, error, refetch } = useQuery(jobQuery(name));
  return (
    <Page title={`Edit ${name}`} about="What is saved counts from the next run on.">
      {data ? (
        <Form base={data} />
      ) : error ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : (
        <Skeleton h={480} />
      )}
    </Page>
  );
}

function Form({ base: given }: { base: Job | undefined }) {
  const host = useMay('jobs.host');
  // What was there when typing began: that is what is changed, and its etag is what the hub compares.
  const [base, setBase] = useState(given);
  const [f, setForm] = useState(() => (base ? formOfJob(base) : newDefinition(host ? 'host' : 'container')));
  const [asked, setAsked] = useState(false);
  const [theirs, setTheirs] = useState<Job>();
  const dirty = useRef(false);
  const form = useRef<HTMLFormElement>(null);
  const cache = useQueryClient();
  const navigate = useNavigate();
  const save = useMutation({
    mutationFn: async ({ form, base }: { form: DefinitionForm; base: Job | undefined }) => {
      const body = definitionOf(form, base);
      if (!body) throw new Error('Something has to be typed otherwise.');
      return act.put(form.name, body, base?.etag);
    },
    gcTime: 0, // what it was given has secrets, which nothing keeps
    onSuccess: async (now) => {
      dirty.current = false;
      cache.setQueryData(jobQuery(now.name).queryKey, now);
      void cache.invalidateQueries({ queryKey: ['jobs'] });
      void cache.invalidateQueries({ queryKey: ['job', now.name] });
      await navigate({ to: '/jobs/$job', params: { job: now.name } });
    },
    onError: async (e) => {
      if (base && asProblem(e).code === 'changed')
        setTheirs(await cache.fetchQuery({ ...jobQuery(base.name), staleTime: 0 }));
    },
  });
  const set = (part: Partial<DefinitionForm>) => {
    dirty.current = true;
    if (save.isError && !theirs) save.reset(); // what it said is of what was typed before
    setForm((now) => ({ ...now, ...part }));
  };
  const own = wrongDefinition(f, base);
  const refused = refusedOf(save.error);
  const wrong = asked ? { ...refused.fields, ...own } : {};
  const mine = theirs && base && mergedOn(formOfJob(base), f, formOfJob(theirs));
  const text = (field: 'name' | 'timeout' | 'retries' | 'delay' | 'missedLimit' | 'cap' | 'message') => ({
    value: f[field],
    error: wrong[field],
    onChange: (e: { currentTarget: { value: string } }) => set({ [field]: e.currentTarget.value }),
  });
  const body = definitionOf(f, base);
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setAsked(true);
        if (body) save.mutate({ form: f, base });
        else requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      }}
    >
      <Leaving dirty={() => dirty.current} />
      <div className="jb-editor">
        <Stack gap="md">
          <TextInput
            label="Name"
            description={base ? undefined : 'It stays: a to z, 0 to 9, - and _'}
            maxLength={63}
            disabled={!!base}
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            {...text('name')}
          />
          <Fieldset legend="When">
            <ScheduleFields
              form={f.schedule}
              set={(part) => set({ schedule: { ...f.schedule, ...part } })}
              asked={asked}
              refused={refused.schedule}
            />
          </Fieldset>
          <Fieldset legend="What is run">
            <WorkFields form={f} set={set} wrong={wrong} keeps={base !== undefined} />
          </Fieldset>
        </Stack>
        <Stack gap="md">
          <Fieldset legend="On which devices">
            <WhomFields form={f} set={set} wrong={wrong} asked={asked} base={base} />
          </Fieldset>
          <Fieldset legend="Rules">
            <Stack gap="sm">
              <div className="jb-fields">
                <TextInput label="Time limit (min)" inputMode="decimal" {...text('timeout')} />
                <TextInput label="Retries" inputMode="numeric" {...text('retries')} />
                <TextInput label="Between retries (s)" inputMode="numeric" {...text('delay')} />
              </div>
              <Rule
                label="A run is due while another goes on"
                about={ruleWords.overlap[f.overlap]}
                value={f.overlap}
                change={(overlap) => set({ overlap })}
                data={[
                  { value: 'skip', label: 'skip it' },
                  { value: 'queue', label: 'queue it' },
                  { value: 'kill', label: 'end the one that goes on' },
                ]}
              />
              <Rule
                label="Runs were missed while the device was off"
                about={ruleWords.missed[f.missed]}
                value={f.missed}
                change={(missed) => set({ missed })}
                data={[
                  { value: 'skip', label: 'skip them' },
                  { value: 'once', label: 'run once' },
                  { value: 'all', label: 'run all' },
                ]}
              />
              {f.missed === 'all' && (
                <TextInput label="At most, the newest" inputMode="numeric" {...text('missedLimit')} />
              )}
              <Rule
                label="Output comes to the hub"
                about={ruleWords.output[f.output]}
                value={f.output}
                change={(output) => set({ output })}
                data={[
                  { value: 'on-failure', label: 'when a run fails' },
                  { value: 'always', label: 'always' },
                  { value: 'on-request', label: 'when somebody asks for it' },
                  { value: 'never', label: 'never' },
                ]}
              />
              {f.output !== 'never' && (
                <TextInput label="Of each stream at most, its end (kB)" inputMode="decimal" {...text('cap')} />
              )}
            </Stack>
          </Fieldset>
          <TextInput
            label="Why"
            description="Shown with the version"
            maxLength={1024}
            autoComplete="off"
            {...text('message')}
          />
        </Stack>
      </div>
      <Stack gap="sm" mt="md">
        {asked && !body && (
          <Text size="sm" className="fs-warning" role="alert">
            Something above has to be typed otherwise.
          </Text>
        )}
        {theirs && mine ? (
          <Conflict
            error={save.error}
            differences={differences(flat(mine), flat(formOfJob(theirs)), fieldNames)}
            busy={save.isPending}
            takeMine={() => {
              setBase(theirs);
              setForm(mine);
              setTheirs(undefined);
              save.mutate({ form: mine, base: theirs });
            }}
            takeTheirs={() => {
              setBase(theirs);
              setForm(formOfJob(theirs));
              setTheirs(undefined);
              save.reset();
              dirty.current = false;
            }}
          />
        ) : (
          <Failure error={save.error} />
        )}
        <Group justify="flex-end" gap="xs">
          {base ? (
            <LinkButton to="/jobs/$job" params={{ job: base.name }} variant="default">
              Cancel
            </LinkButton>
          ) : (
            <LinkButton to="/jobs" variant="default">
              Cancel
            </LinkButton>
          )}
          <Button type="submit" loading={save.isPending} disabled={!!theirs}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface RuleProps<T extends string> {
  label: string;
  /** What the choice means, in a sentence. */
  about: string;
  value: T;
  change: (value: T) => void;
  data: { value: T; label: string }[];
}

function Rule<T extends string>({ label, about, value, change, data }: RuleProps<T>) {
  return (
    <NativeSelect
      label={label}
      description={about}
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      value={value}
      onChange={(e) => change(e.currentTarget.value as T)}
      data={data}
    />
  );
}

import {
  Alert,
  Button,
  Checkbox,
  Collapse,
  Group,
  Modal,
  Select,
  Skeleton,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, ok, type Schemas } from '../../api/client';
import { bytes, count } from '../../kit/bytes';
import { Estimate } from '../../kit/data/Estimate';
import { Failure } from '../../kit/Failure';
import { GroupField, wrongGroup } from '../../kit/PlaceFields';
import { PlanFields } from '../../kit/rollout/PlanFields';
import { wrongPlan } from '../../kit/rollout/plan';
import { usePhone } from '../../kit/usePhone';
import { empty, type Form, spec, wrongWindows } from './form';
import { More } from './More';
import { releasesQuery, updatesQuery } from './queries';
import { codeWord } from './words';

/** StartUpdate asks for release, devices and plan, shows what that would be, and starts it. */
export function StartUpdate({ opened, close }: { opened: boolean; close: () => void }) {
  const [form, setForm] = useState(empty);
  const [more, setMore] = useState(false);
  const { data: releases } = useQuery({ ...releasesQuery, enabled: opened });
  const cache = useQueryClient();
  const navigate = useNavigate();
  const phone = usePhone();
  const set = (change: Partial<Form>) => {
    setForm({ ...form, ...change });
    preview.reset();
  };
  const preview = useMutation({ mutationFn: () => ok(api.POST('/api/v1/updates/preview', { body: spec(form) })) });
  const begin = useMutation({
    mutationFn: () => ok(api.POST('/api/v1/updates', { body: spec(form) })),
    onSuccess: async (u) => {
      void cache.invalidateQueries({ queryKey: updatesQuery.queryKey });
      setForm(empty);
      close();
      await navigate({ to: '/updates/$update', params: { update: u.id } });
    },
  });
  return (
    <Modal opened={opened} onClose={close} title="New update" size="lg" fullScreen={phone}>
      <Stack gap="sm">
        <Select
          label="Release"
          data={(releases?.items ?? []).map((r) => r.version)}
          value={form.release || null}
          onChange={(v) => set({ release: v ?? '' })}
          nothingFoundMessage="Upload a release first"
          required
        />
        <TextInput
          label="Selector"
          description="Which devices, by their labels. Empty: all"
          placeholder="site=oslo"
          value={form.selector}
          onChange={(e) => set({ selector: e.currentTarget.value })}
        />
        <GroupField
          description="Only devices in it and below it. Empty: all"
          placeholder="norway/oslo"
          value={form.group}
          onChange={(group) => set({ group })}
        />
        <PlanFields form={form} set={set} order="numbers" />
        <Checkbox
          label="Devices that run something newer get it too"
          checked={form.downgrade}
          onChange={(e) => set({ downgrade: e.currentTarget.checked })}
        />
        <div>
          <Button variant="subtle" size="sm" px={0} aria-expanded={more} onClick={() => setMore(!more)}>
            {more ? 'Less' : 'More: windows, trial, message'}
          </Button>
          <Collapse expanded={more}>
            <More form={form} set={set} />
          </Collapse>
        </div>
        <Failure error={preview.error ?? begin.error} />
        {preview.data && <Expected estimate={preview.data} />}
        {preview.data && preview.data.devices > 0 && <Cost form={form} />}
        <Group justify="flex-end">
          <Button
            variant="default"
            disabled={
              !form.release ||
              !!wrongGroup(form.group) ||
              !!wrongWindows(form.windows) ||
              Object.keys(wrongPlan(form)).length > 0
            }
            loading={preview.isPending}
            onClick={() => preview.mutate()}
          >
            {preview.data ? 'Estimate again' : 'Estimate'}
          </Button>
          <Button disabled={!preview.data} loading={begin.isPending} onClick={() => begin.mutate()}>
            Start
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Expected({ estimate: e }: { estimate: Schemas['UpdateEstimate'] }) {
  return (
    <Alert color="blue" title={`${count(e.devices, 'device')}, ${bytes(e.bytes)}`}>
      <Text size="sm">{e.words}</Text>
      {e.preparing > 0 && (
        <Text size="sm">
          Some programs are still being made ready, so that it is more: estimate again in a few seconds.
        </Text>
      )}
      {Object.entries(e.codes).map(([code, n]) => (
        <Text size="sm" key={code}>
          {count(n, 'device')}: {codeWord(code)}
        </Text>
      ))}
    </Alert>
  );
}

/** Cost says what the update will spend on the devices' links. */
function Cost({ form }: { form: Form }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['estimate', 'update', form],
    queryFn: ({ signal }) => ok(api.POST('/api/v1/updates/estimate', { body: spec(form), signal })),
    retry: false,
  });
  if (error) return <Failure error={error} retry={() => refetch()} />;
  return data ? <Estimate estimate={data} /> : <Skeleton h={48} aria-label="The hub works out what it will cost" />;
}

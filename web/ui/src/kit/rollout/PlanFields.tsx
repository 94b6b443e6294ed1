import { Checkbox, Group, NumberInput, Radio, Select, Stack, Text, TextInput } from '@mantine/core';
import { onFailures, type PlanForm, planWords, wrongPlan } from './plan';

interface Props {
  form: PlanForm;
  set: (change: Partial<PlanForm>) => void;
  /** By which values devices can go: of any words in a given order, or numbers alone. */
  order: 'words' | 'numbers';
}

/** PlanFields asks in which steps devices are changed, and says it in words below. */
export function PlanFields({ form, set, order }: Props) {
  const wrong = wrongPlan(form);
  return (
    <Stack gap={8}>
      <Radio.Group
        aria-label="In which steps"
        value={form.steps}
        onChange={(v) => set({ steps: v === 'once' ? 'once' : 'batches' })}
      >
        <Group gap="md">
          <Radio value="once" label="All at once" />
          <Radio value="batches" label="In batches" />
        </Group>
      </Radio.Group>
      {form.steps === 'batches' && (
        <>
          <Group grow align="flex-end" gap="xs">
            <TextInput
              label="First batch"
              description="A number, or a share: 10%"
              value={form.batch}
              error={wrong.batch}
              onChange={(e) => set({ batch: e.currentTarget.value })}
            />
            <NumberInput
              label="Watch each for"
              description="Minutes"
              min={0}
              max={43200}
              value={form.soak}
              onChange={(v) => set({ soak: Number(v) || 0 })}
            />
          </Group>
          <Checkbox
            label="Each batch is twice as large as the one before"
            checked={form.doubling}
            disabled={!form.batch}
            onChange={(e) => set({ doubling: e.currentTarget.checked })}
          />
          <Group grow align="flex-end" gap="xs">
            <TextInput
              label="May fail in each"
              description="A number, or a share"
              placeholder="none"
              value={form.failures}
              error={wrong.failures}
              onChange={(e) => set({ failures: e.currentTarget.value })}
            />
            <NumberInput
              label="Must succeed"
              description="Per cent of each"
              placeholder="the others"
              min={0}
              max={100}
              allowDecimal={false}
              value={form.success}
              error={wrong.success}
              onChange={(success) => set({ success })}
            />
          </Group>
          <Select
            label="When more fail"
            allowDeselect={false}
            data={onFailures.map(({ value, label }) => ({ value, label }))}
            value={form.onFailure}
            onChange={(v) => set({ onFailure: v ?? 'pause' })}
          />
          <Group grow align="flex-end" gap="xs">
            <TextInput
              label="Order by label"
              description={order === 'numbers' ? 'The lowest number first' : 'Canaries first'}
              placeholder="ring"
              spellCheck={false}
              autoCapitalize="none"
              value={form.order}
              onChange={(e) => set({ order: e.currentTarget.value })}
            />
            <NumberInput
              label="Of one group at once"
              description="Empty: any number"
              min={1}
              allowDecimal={false}
              value={form.perGroup}
              onChange={(perGroup) => set({ perGroup })}
            />
          </Group>
          {order === 'words' && form.order.trim() !== '' && (
            <TextInput
              label="Its values, those that go first in front"
              description="Apart by commas. Empty: they are numbers, the lowest first"
              placeholder="canary, early"
              spellCheck={false}
              autoCapitalize="none"
              value={form.values}
              error={wrong.values}
              onChange={(e) => set({ values: e.currentTarget.value })}
            />
          )}
        </>
      )}
      {Object.keys(wrong).length === 0 && (
        <Text size="xs" c="dimmed" aria-live="polite">
          {planWords(form)}
        </Text>
      )}
    </Stack>
  );
}

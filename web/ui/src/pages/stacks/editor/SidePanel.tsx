import { Checkbox, Fieldset, NativeSelect, Stack, Textarea, TextInput } from '@mantine/core';
import { PlanFields } from '../../../kit/rollout/PlanFields';
import { planWords } from '../../../kit/rollout/plan';
import { ChangeRule } from './ChangeRule';
import { type Draft, type Settings, wrongName } from './draft';
import { Folded } from './Folded';
import { HealthFields } from './HealthFields';
import { HomeAndOwner } from './HomeAndOwner';
import { changeWords, healthWords } from './rules';
import { Target } from './Target';
import type { DraftStore } from './useDraft';
import { Variables } from './Variables';

interface Props {
  draft: Draft;
  store: DraftStore;
  /** What is missing is said too, not only what is wrong. */
  asked: boolean;
  /** How many devices are meant, as the hub said; undefined: it was not asked of this draft. */
  total: number | undefined;
  /** What the hub said about the name. */
  nameTaken: string | undefined;
}

/** SidePanel edits what a stack is beside its files. */
export function SidePanel({ draft, store, asked, total, nameTaken }: Props) {
  const { settings } = draft;
  const change = (part: Partial<Settings>) => store.edit((d) => ({ ...d, settings: { ...d.settings, ...part } }));
  return (
    <Stack gap="sm" component="section" aria-label="Settings of the stack">
      {!draft.base && (
        <TextInput
          label="Name"
          description="It cannot be changed later. On the devices it is the Compose project."
          placeholder="web-front"
          value={draft.name}
          error={((asked || draft.name !== '') && wrongName(draft.name)) || nameTaken}
          onChange={(e) => {
            const name = e.currentTarget.value;
            store.edit((d) => ({ ...d, name }));
          }}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
        />
      )}
      <Fieldset legend="Home and owner" p="xs">
        <HomeAndOwner settings={settings} change={change} made={draft.base !== undefined} asked={asked} />
      </Fieldset>
      <Fieldset legend="Devices" p="xs">
        <Target settings={settings} change={change} asked={asked} total={total} />
      </Fieldset>
      <Folded legend="In which steps" words={planWords(settings.plan)}>
        <PlanFields
          form={settings.plan}
          set={(part) => change({ plan: { ...settings.plan, ...part } })}
          order="words"
        />
      </Folded>
      <Folded legend="When devices change" words={changeWords(settings)}>
        <ChangeRule rules={settings} change={change} />
      </Folded>
      <Folded legend="When a version is good" words={healthWords(settings)}>
        <HealthFields rules={settings} change={change} />
      </Folded>
      <Fieldset legend="Variables" p="xs">
        <Variables draft={draft} store={store} asked={asked} />
      </Fieldset>
      <NativeSelect
        label="Images are asked of the registry"
        value={settings.pull}
        onChange={(e) => change({ pull: e.currentTarget.value as Settings['pull'] })}
        data={[
          { value: 'missing', label: 'where the device lacks them' },
          { value: 'always', label: 'each time' },
          { value: 'never', label: 'never: they are on the device' },
        ]}
      />
      <Checkbox
        label="Remove its volumes with the stack"
        description="Named volumes and their data go from a device when the stack is removed there."
        checked={settings.removeVolumes}
        onChange={(e) => change({ removeVolumes: e.currentTarget.checked })}
      />
      <Textarea
        label="Message for this version"
        description="What changes, and why; colleagues read it in the list of versions."
        autosize
        minRows={2}
        maxRows={6}
        maxLength={1024}
        value={draft.message}
        onChange={(e) => {
          const message = e.currentTarget.value;
          store.edit((d) => ({ ...d, message }));
        }}
      />
    </Stack>
  );
}

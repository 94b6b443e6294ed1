import { Group, NativeSelect, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMay } from '../../app/useMay';
import { bytes } from '../../kit/bytes';
import { hintOf, type WorkForm, type Wrong } from './definition';

interface Props {
  form: WorkForm;
  set: (part: Partial<WorkForm>) => void;
  wrong: Wrong<WorkForm>;
  /** What has values now that are kept where a line has the name alone. */
  keeps?: boolean;
}

type TextField = Exclude<keyof WorkForm, 'where' | 'pull'>;

const code = { classNames: { input: 'fs-code' }, spellCheck: false, autoComplete: 'off', autoCapitalize: 'none' };

/** WorkFields take a script, what it is given, and where it runs. */
export function WorkFields({ form: f, set, wrong, keeps = false }: Props) {
  const host = useMay('jobs.host');
  const text = (field: TextField) => ({
    value: f[field],
    error: wrong[field],
    onChange: (e: { currentTarget: { value: string } }) => set({ [field]: e.currentTarget.value }),
  });
  const hint = hintOf(f.script);
  const size = new TextEncoder().encode(f.script).length;
  const own = f.where === 'container' && f.script.trim() === '';
  return (
    <Stack gap="sm">
      <div>
        <Textarea
          label="Script"
          autosize
          minRows={6}
          maxRows={24}
          {...code}
          {...text('script')}
          onKeyDown={(e) => {
            if ((e.key.toLowerCase() === 's' || e.key === 'Enter') && (e.ctrlKey || e.metaKey)) {
              e.preventDefault();
              e.currentTarget.form?.requestSubmit();
            }
          }}
        />
        {!wrong.script && (
          <Text
            size="xs"
            mt={4}
            className={hint.wrong && !own ? 'fs-warning' : undefined}
            c={hint.wrong && !own ? undefined : 'dimmed'}
          >
            {own ? 'Without a script, the image’s own program is run.' : `${hint.words} ${bytes(size)}.`}
          </Text>
        )}
      </div>
      <SegmentedControl
        aria-label="Where it runs"
        value={f.where}
        onChange={(v) => set({ where: v === 'container' ? 'container' : 'host' })}
        data={[
          { value: 'host', label: 'On the host', disabled: !host },
          { value: 'container', label: 'In a container' },
        ]}
        style={{ alignSelf: 'flex-start' }}
      />
      <Text size="xs" c="dimmed">
        {f.where === 'container'
          ? 'Each run makes a container of its own, which is removed after it.'
          : 'It runs beside the agent and may do what its user may. Devices whose agent is itself in a container refuse it.'}
      </Text>
      {f.where === 'container' && (
        <>
          <div className="jb-fields">
            <TextInput label="Image" placeholder="alpine:3.22" {...code} {...text('image')} />
            <NativeSelect
              label="Image is asked for"
              value={f.pull}
              onChange={(e) => set({ pull: e.currentTarget.value as WorkForm['pull'] })}
              data={[
                { value: 'missing', label: 'when it is not there' },
                { value: 'always', label: 'before each run' },
                { value: 'never', label: 'never' },
              ]}
            />
            <TextInput label="Network" placeholder="the engine’s own" {...text('network')} />
            <TextInput label="Processors" placeholder="no limit" inputMode="decimal" {...text('cpus')} />
            <TextInput label="Memory (MB)" placeholder="no limit" inputMode="decimal" {...text('memory')} />
          </div>
          <Textarea
            label="Mounts"
            description="/on/the/device:/in/the/container on each line, :ro behind it to read only"
            autosize
            minRows={1}
            {...code}
            {...text('mounts')}
          />
        </>
      )}
      <div className="jb-fields">
        <TextInput
          label="User"
          placeholder={f.where === 'host' ? 'the agent’s' : 'the image’s'}
          {...code}
          {...text('user')}
        />
        <TextInput
          label="Working folder"
          placeholder={f.where === 'host' ? 'the run’s own' : 'the image’s'}
          {...code}
          {...text('dir')}
        />
      </div>
      <Group gap="sm" grow align="flex-start" preventGrowOverflow={false} className="jb-wide">
        <Textarea label="Arguments" description="One on each line" autosize {...code} {...text('args')} />
        <Textarea
          label="Variables"
          description={keeps ? 'NAME=value on each line; NAME alone keeps its value' : 'NAME=value on each line'}
          autosize
          {...code}
          {...text('env')}
        />
        <Textarea
          label="Secret variables"
          description={keeps ? 'As variables; nobody is shown the values' : 'NAME=value; nobody is shown the values'}
          autosize
          {...code}
          {...text('secrets')}
        />
      </Group>
    </Stack>
  );
}

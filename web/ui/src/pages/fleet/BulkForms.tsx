import { Autocomplete, Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { asProblem } from '../../api/problem';
import { groupsQuery, profilesQuery, stacksQuery } from '../../api/queries';
import { Failure } from '../../kit/Failure';
import { type CommandWord, commandOf, commandWords, targetOf } from './commandWords';
import { labelChange } from './labelChange';
import type { BulkDo } from './queries';

interface Props {
  /** The devices in words: "3 devices". */
  many: string;
  run: (what: BulkDo, past: string) => Promise<void>;
  error: unknown;
  busy: boolean;
}

interface FrameProps extends Props {
  /** What is done; undefined: something is missing, which the fields say. */
  what: () => BulkDo | undefined;
  past: string;
  action: string;
  /** The hub's answer is shown beside a field. */
  told?: boolean;
  children: ReactNode;
}

function Form({ run, error, busy, what, past, action, told, children }: FrameProps) {
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        const deed = busy ? undefined : what();
        // What fails is shown by error.
        if (deed) run(deed, past).catch(() => {});
      }}
    >
      <Stack gap="sm">
        {children}
        {!told && <Failure error={error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={busy}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const fieldOf = (error: unknown, name: string) => (error ? asProblem(error).field(name) : undefined);

export function LabelsForm(props: Props) {
  const [add, setAdd] = useState('');
  const [remove, setRemove] = useState('');
  const [asked, setAsked] = useState(false);
  const read = labelChange(add, remove);
  const wrong = asked && 'wrong' in read ? read.wrong : {};
  const told = fieldOf(props.error, 'do.patch.labels');
  return (
    <Form
      {...props}
      past="got their labels"
      action="Change labels"
      told={told !== undefined}
      what={() => {
        setAsked(true);
        return 'labels' in read ? { patch: { labels: read.labels } } : undefined;
      }}
    >
      <TextInput
        label="Add, or change"
        description="key=value, apart by commas"
        placeholder="site=oslo, line=packing"
        data-autofocus
        spellCheck={false}
        value={add}
        error={wrong.add ?? told}
        onChange={(e) => setAdd(e.currentTarget.value)}
      />
      <TextInput
        label="Remove"
        description="Keys, apart by commas. Labels that a group gives stay."
        placeholder="spare, line"
        spellCheck={false}
        value={remove}
        error={wrong.remove}
        onChange={(e) => setRemove(e.currentTarget.value)}
      />
    </Form>
  );
}

export function GroupForm(props: Props) {
  const [group, setGroup] = useState('');
  const { data } = useQuery(groupsQuery);
  const told = fieldOf(props.error, 'do.patch.group');
  return (
    <Form
      {...props}
      past={group.trim() === '' ? 'moved to the root' : `moved to ${group.trim()}`}
      action="Move"
      told={told !== undefined}
      what={() => ({ patch: { group: group.trim() } })}
    >
      <Autocomplete
        label="Group"
        description="It is made when it does not exist; empty: the root. Labels and settings of the group apply at once."
        placeholder="norway/oslo"
        data-autofocus
        data={data?.items.map((g) => g.path).filter((p) => p !== '') ?? []}
        limit={50}
        value={group}
        error={told}
        onChange={setGroup}
      />
    </Form>
  );
}

export function ProfileForm(props: Props) {
  const [profile, setProfile] = useState<string | null>('');
  const { data } = useQuery(profilesQuery);
  return (
    <Form
      {...props}
      past={profile ? `got the profile ${profile}` : 'take the profile of their group'}
      action="Set the profile"
      what={() => ({ patch: { profile: profile ?? '' } })}
    >
      <Select
        label="Link profile"
        description="How often the devices ping, send what they see, and fetch commands."
        allowDeselect={false}
        data={[{ value: '', label: 'as their group says' }, ...(data?.items.map((p) => p.name) ?? [])]}
        value={profile}
        onChange={setProfile}
      />
    </Form>
  );
}

export function CommandForm(props: Props) {
  const [word, setWord] = useState<CommandWord>('snapshot');
  const [target, setTarget] = useState('');
  const [asked, setAsked] = useState(false);
  const { data: stacks } = useQuery({ ...stacksQuery, enabled: word === 'stack.redeploy' });
  const aim = targetOf(word);
  const missing = aim !== undefined && target.trim() === '' ? `Give the ${aim.toLowerCase()}.` : undefined;
  const told = fieldOf(props.error, 'do.command.target') ?? fieldOf(props.error, 'target');
  return (
    <Form
      {...props}
      past="got the command"
      action={`Give to ${props.many}`}
      told={told !== undefined && aim !== undefined}
      what={() => {
        setAsked(true);
        return missing ? undefined : { command: commandOf(word, target) };
      }}
    >
      <Select
        label="Command"
        allowDeselect={false}
        data={Object.entries(commandWords).map(([value, w]) => ({ value, label: w.label }))}
        value={word}
        onChange={(v) => v && setWord(v as CommandWord)}
      />
      {aim && (
        <Autocomplete
          label={aim}
          spellCheck={false}
          data={word === 'stack.redeploy' ? (stacks?.items.map((s) => s.name) ?? []) : []}
          value={target}
          maxLength={255}
          error={(asked && missing) || told}
          onChange={setTarget}
        />
      )}
      <Text size="xs" c="dimmed">
        A device that is not connected fetches it at its next contact, within 24 h; then it expires.
      </Text>
    </Form>
  );
}

export function ConfirmForm(props: Props) {
  return (
    <Form {...props} past="marked as checked" action="They are checked" what={() => ({ confirm: true })}>
      <Text size="sm">
        This notes, with your name, that somebody compared the identity of these {props.many} with what the devices
        themselves show (<code>farshore-agent status</code>). Nothing else changes.
      </Text>
    </Form>
  );
}

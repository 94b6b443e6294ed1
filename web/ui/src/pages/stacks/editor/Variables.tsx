import { ActionIcon, Button, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { IconLock, IconLockOpen, IconPlus, IconTrash } from '@tabler/icons-react';
import { usePhone } from '../../../kit/usePhone';
import { type Draft, parseEnv, type Variable, wrongVariable } from './draft';
import type { DraftStore } from './useDraft';

/** Variables edits what Compose fills in. Values only go to the hub, and never come back. */
export function Variables({ draft, store, asked }: { draft: Draft; store: DraftStore; asked: boolean }) {
  const all = draft.variables;
  const size = usePhone() ? 'md' : 'sm';
  const set = (variables: readonly Variable[]) => store.edit((d) => ({ ...d, variables }));
  const change = (id: number, part: Partial<Variable>) => set(all.map((v) => (v.id === id ? { ...v, ...part } : v)));
  const next = Math.max(-1, ...all.map((v) => v.id)) + 1;
  const paste = (id: number, text: string) => {
    const found = text.includes('\n') ? parseEnv(text) : undefined;
    if (!found) return false;
    const kept = all.filter((v) => v.id !== id && !found.some((f) => f.name === v.name));
    set([
      ...kept,
      ...found.map((f, i) => ({ ...f, id: next + i, secret: all.find((v) => v.name === f.name)?.secret ?? false })),
    ]);
    return true;
  };
  const back = all.filter((v) => v.value === undefined);
  return (
    <Stack gap={6}>
      <Text size="xs" c="dimmed">
        They fill in <code>$&#123;NAME&#125;</code> in the Compose file. The hub keeps values encrypted. A secret one
        (the lock) is shown to nobody, and kept sealed on the devices.
      </Text>
      {back.length > 0 && (
        <Text size="xs" role="status">
          {back.length === 1 ? 'One keeps the value' : `${back.length} keep the values`} of version {draft.from} until
          you type another.
        </Text>
      )}
      {all.map((v) => {
        const wrong = wrongVariable(v, all);
        return (
          <Group key={v.id} gap={6} wrap="nowrap" align="flex-start">
            <TextInput
              size={size}
              aria-label="Name of a variable"
              placeholder="NAME"
              value={v.name}
              readOnly={v.value === undefined}
              error={(asked || v.name !== '') && wrong.name}
              onChange={(e) => change(v.id, { name: e.currentTarget.value })}
              onPaste={(e) => paste(v.id, e.clipboardData.getData('text')) && e.preventDefault()}
              spellCheck={false}
              autoComplete="off"
              autoCapitalize="none"
              flex={1}
              miw={0}
            />
            <PasswordInput
              size={size}
              aria-label={`Value of ${v.name || 'the variable'}`}
              placeholder={v.value === undefined ? `set in version ${draft.from}` : 'empty'}
              value={v.value ?? ''}
              error={asked && wrong.value}
              onChange={(e) => change(v.id, { value: e.currentTarget.value })}
              autoComplete="new-password"
              flex={1}
              miw={0}
            />
            <ActionIcon
              variant={v.secret ? 'light' : 'subtle'}
              color={v.secret ? undefined : 'gray'}
              size={size === 'md' ? 42 : 36}
              aria-label={`${v.name || 'The variable'} is secret`}
              aria-pressed={v.secret}
              title={v.secret ? 'Secret' : 'Not secret'}
              onClick={() => change(v.id, { secret: !v.secret })}
            >
              {v.secret ? <IconLock size={16} /> : <IconLockOpen size={16} />}
            </ActionIcon>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={size === 'md' ? 42 : 36}
              aria-label={`Remove variable ${v.name || '(no name)'}`}
              onClick={() => set(all.filter((o) => o.id !== v.id))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        );
      })}
      <Group gap="xs">
        <Button
          size="compact-sm"
          h={{ base: 40, sm: 26 }}
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => set([...all, { id: next, name: '', value: '', secret: false }])}
        >
          Variable
        </Button>
        <Text size="xs" c="dimmed">
          Lines of a .env file can be pasted into a name.
        </Text>
      </Group>
    </Stack>
  );
}

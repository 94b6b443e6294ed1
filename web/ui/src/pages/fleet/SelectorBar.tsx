import { ActionIcon, Code, HoverCard, Stack, Text, TextInput } from '@mantine/core';
import { IconHelpCircle, IconTags } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { FleetSearch } from './filter';

interface Props {
  selector: string | undefined;
  /** What the hub said of it. */
  wrong: string | undefined;
  change: (next: Partial<FleetSearch>) => void;
}

const examples = [
  ['site=oslo', 'has the label site with the value oslo'],
  ['site!=oslo', 'has another value, or no such label'],
  ['line in (a, b)', 'has one of these values'],
  ['line notin (a, b)', 'has none of these values'],
  ['spare', 'has the label, whatever its value'],
  ['!spare', 'does not have the label'],
  ['farshore.io/arch=arm64', 'a fact that the device told'],
] as const;

/** SelectorBar takes a label selector typed by hand. It counts once Enter is pressed or the field is left. */
export function SelectorBar({ selector = '', wrong, change }: Props) {
  const [typed, setTyped] = useState(selector);
  useEffect(() => setTyped(selector), [selector]);
  const apply = () => {
    const next = typed.trim();
    if (next !== selector) change({ selector: next || undefined });
  };
  return (
    <form
      style={{ flex: 1 }}
      onSubmit={(e) => {
        e.preventDefault();
        apply();
      }}
    >
      <TextInput
        aria-label="Label selector"
        placeholder="Label selector, such as site=oslo, !spare"
        leftSection={<IconTags size={16} aria-hidden />}
        rightSection={<SelectorHelp />}
        value={typed}
        maxLength={2000}
        error={typed.trim() === selector ? wrong : undefined}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        onChange={(e) => setTyped(e.currentTarget.value)}
        onBlur={apply}
        onKeyDown={(e) => {
          if (e.key === 'Escape') setTyped(selector);
        }}
      />
    </form>
  );
}

function SelectorHelp() {
  return (
    <HoverCard width={380} position="bottom-end" withArrow shadow="md">
      <HoverCard.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label="How selectors are written">
          <IconHelpCircle size={16} />
        </ActionIcon>
      </HoverCard.Target>
      <HoverCard.Dropdown>
        <Stack gap={4}>
          <Text size="sm">All that is given, apart by commas, has to fit:</Text>
          {examples.map(([text, meaning]) => (
            <Text size="xs" key={text}>
              <Code>{text}</Code> {meaning}
            </Text>
          ))}
        </Stack>
      </HoverCard.Dropdown>
    </HoverCard>
  );
}

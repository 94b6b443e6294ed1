import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { WindowFields } from '../rollout/WindowFields';
import {
  type ContactForm,
  contactForm,
  contactOf,
  contactWords,
  formsText,
  mostWindows,
  newContact,
  windowsOf,
  wrongContact,
} from './contact';

interface Props {
  /** As contactText writes it; what is not whole yet is no window to windowsOf. */
  value: string;
  change: (text: string) => void;
  refused?: string | undefined;
}

const formsOf = (text: string): ContactForm[] => (windowsOf(text) ?? []).map(contactForm);

/** ContactWindows are the fields of contact windows. */
export function ContactWindows({ value, change, refused }: Props) {
  // What is half typed is known here alone; what comes from elsewhere takes its place.
  const [typed, setTyped] = useState(() => ({ text: value, forms: formsOf(value) }));
  if (typed.text !== value) setTyped({ text: value, forms: formsOf(value) });
  const put = (forms: ContactForm[]) => {
    const text = formsText(forms);
    setTyped({ text, forms });
    change(text);
  };
  const { forms } = typed;
  const set = (id: number, part: Partial<ContactForm>) => put(forms.map((f) => (f.id === id ? { ...f, ...part } : f)));
  return (
    <Stack gap={8}>
      {forms.map((f, i) => (
        <WindowFields
          key={f.id}
          name={`Contact window ${i + 1}`}
          times={f}
          set={(part) => set(f.id, part)}
          remove={() => put(forms.filter((o) => o.id !== f.id))}
          wrong={wrongContact(f)}
          words={() => contactWords(contactOf(f))}
          length={
            <TextInput
              label="For"
              placeholder="10m"
              spellCheck={false}
              value={f.long}
              onChange={(e) => set(f.id, { long: e.currentTarget.value })}
            />
          }
        />
      ))}
      <Group gap="xs">
        <Button
          size="compact-sm"
          h={{ base: 40, sm: 26 }}
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={forms.length >= mostWindows}
          onClick={() => put([...forms, newContact(Math.max(-1, ...forms.map((f) => f.id)) + 1)])}
        >
          Contact window
        </Button>
        {forms.length === 0 && (
          <Text size="xs" c="dimmed">
            None: in contact at any time, where there are no passes.
          </Text>
        )}
      </Group>
      {refused && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert" className="fs-text">
          {refused}
        </Text>
      )}
    </Stack>
  );
}

import { CloseButton, TextInput, type TextInputProps } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';

interface Props extends Omit<TextInputProps, 'value' | 'onChange'> {
  label: string;
  /** What is searched for, as the address has it. */
  value: string | undefined;
  /** Called a moment after the last letter; undefined: nothing is searched for. */
  search: (text: string | undefined) => void;
}

/** SearchField is a field whose text goes into the address once one stops typing. Its label is for screen readers. */
export function SearchField({ label, value = '', search, ...rest }: Props) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const send = useDebouncedCallback((t: string) => {
    sent.current = t.trim();
    search(t.trim() || undefined);
  }, 150);
  useEffect(() => {
    // The address changed by something else, such as the back button.
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  const type = (t: string) => {
    setText(t);
    send(t);
  };
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} aria-hidden />}
      rightSection={text && <CloseButton size="sm" aria-label="Clear the search" onClick={() => type('')} />}
      maxLength={200}
      spellCheck={false}
      {...rest}
      value={text}
      onChange={(e) => type(e.currentTarget.value)}
    />
  );
}

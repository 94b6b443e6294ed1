import { Autocomplete, NativeSelect, SimpleGrid, TextInput } from '@mantine/core';
import { inWords, type SettingsField, settingFields, settingNames, wrongSetting } from './settings';

interface Props {
  /** As typed, by field. */
  value: Record<string, string>;
  change: (field: SettingsField, text: string) => void;
  /** What holds where nothing is typed, by field, such as "each 60 s (hub default)". */
  otherwise?: Partial<Record<SettingsField, string>>;
  /** What the hub has against a field. */
  refused?: (field: SettingsField) => string | undefined;
  disabled?: boolean;
}

const choices: Partial<Record<SettingsField, string[]>> = {
  ping: ['30s', '1m', '5m', '20m', '1h', 'off'],
  snapshot: ['push', '5m', '1h', '24h', 'off'],
  command: ['push', '1m', '5m', '1h', 'off'],
};

const units: Partial<Record<SettingsField, string>> = {
  chunk_bytes: 'bytes',
  connect_timeout_seconds: 'seconds',
  exchange_timeout_seconds: 'seconds',
};

/** SettingsFields are the fields of the settings of a device, group or link profile; each says what it means. */
export function SettingsFields({ value, change, otherwise = {}, refused, disabled }: Props) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="xs">
      {settingFields.map((f) => {
        const text = value[f] ?? '';
        const wrong = wrongSetting(f, text);
        const unit = units[f];
        const common = {
          label: unit ? `${settingNames[f]}, ${unit}` : settingNames[f],
          description: (text && !wrong && inWords(f, text.trim())) || `Empty: ${otherwise[f] ?? 'inherited'}`,
          inputWrapperOrder: ['label' as const, 'input' as const, 'description' as const, 'error' as const],
          error: wrong ?? refused?.(f),
          disabled,
        };
        if (f === 'key_exchange') {
          return (
            <NativeSelect
              key={f}
              {...common}
              value={text}
              onChange={(e) => change(f, e.currentTarget.value)}
              data={[
                { value: '', label: 'inherited' },
                { value: 'hybrid', label: 'hybrid' },
                { value: 'classic', label: 'classic' },
              ]}
            />
          );
        }
        const data = choices[f];
        return data ? (
          <Autocomplete
            key={f}
            {...common}
            value={text}
            onChange={(t) => change(f, t)}
            data={data}
            filter={({ options }) => options}
            spellCheck={false}
          />
        ) : (
          <TextInput
            key={f}
            {...common}
            value={text}
            inputMode="numeric"
            onChange={(e) => change(f, e.currentTarget.value)}
          />
        );
      })}
    </SimpleGrid>
  );
}

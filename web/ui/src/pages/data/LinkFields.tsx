import { Checkbox, Fieldset, NativeSelect, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { bytes } from '../../kit/bytes';
import { amountOf } from '../../kit/data/amount';
import { ContactWindows } from '../../kit/data/ContactWindows';
import type { Fields } from '../../kit/merge';
import { choices, type LinkField, linkNames, wrongField } from './profile';

interface Props {
  /** As typed, by field. */
  value: Fields;
  change: (field: LinkField, text: string) => void;
  /** What the hub has against a field, by its name in the API. */
  refused: (path: string) => string | undefined;
}

const columns = { base: 1, sm: 2 };

/** LinkFields are what a profile says of the link: budget, times of contact, images, connection and tariff. */
export function LinkFields({ value, change, refused }: Props) {
  const text = (f: LinkField, more: { description: string; placeholder?: string; path: string }) => (
    <TextInput
      label={linkNames[f]}
      description={more.description}
      placeholder={more.placeholder}
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      spellCheck={false}
      value={value[f] ?? ''}
      onChange={(e) => change(f, e.currentTarget.value)}
      error={wrongField(f, value) ?? refused(more.path)}
    />
  );
  const pick = (f: keyof typeof choices, path: string) => (
    <NativeSelect
      label={linkNames[f]}
      value={value[f] ?? ''}
      onChange={(e) => change(f, e.currentTarget.value)}
      data={Object.entries(choices[f]).map(([v, label]) => ({ value: v, label: v ? label : `Not said: ${label}` }))}
      error={refused(path)}
    />
  );
  const hard = amountOf(value.hard ?? '');
  return (
    <>
      <Fieldset legend="Budget of a billing cycle" p="sm">
        <Stack gap="xs">
          <SimpleGrid cols={columns} spacing="sm" verticalSpacing="xs">
            {text('soft', {
              description: 'From here on it saves. Empty: not before the reserve',
              placeholder: '4 MB',
              path: 'link.budget.soft',
            })}
            {text('hard', {
              description: 'Never passed. Empty: nothing is capped',
              placeholder: '5 MB',
              path: 'link.budget.hard',
            })}
            {text('reserve', {
              description: `Of the hard cap, for urgent work. Empty: ${hard ? bytes(hard / 20) : 'a twentieth'}`,
              placeholder: '250 kB',
              path: 'link.budget.reserve',
            })}
            {text('floor', {
              description: 'Once the reserve has begun. Empty: each 6 h',
              placeholder: '6h',
              path: 'link.budget.floor',
            })}
            {text('cycle_day', {
              description: 'Of the month; in shorter ones the last. Empty: 1',
              placeholder: '1',
              path: 'link.budget.cycle_day',
            })}
            {text('zone', {
              description: 'In which days and cycles begin. Empty: UTC',
              placeholder: 'Europe/Oslo',
              path: 'link.budget.zone',
            })}
          </SimpleGrid>
          <Checkbox
            label="One ping a day at the hard cap"
            description="Otherwise silence until the cycle ends, or somebody lifts the caps."
            checked={!!value.daily_ping}
            onChange={(e) => change('daily_ping', e.currentTarget.checked ? 'yes' : '')}
          />
        </Stack>
      </Fieldset>
      <Fieldset legend="Times of contact" p="sm">
        <Stack gap="xs">
          <ContactWindows
            value={value.windows ?? ''}
            change={(windows) => change('windows', windows)}
            refused={refused('link.contact')}
          />
          {pick('after', 'link.contact.after')}
        </Stack>
      </Fieldset>
      <Fieldset legend="Use and price" p="sm">
        <SimpleGrid cols={columns} spacing="sm" verticalSpacing="xs">
          {pick('images', 'link.images')}
          {pick('connection', 'link.connection')}
          {text('price', {
            description: 'Of 1,000,000 bytes on the wire',
            placeholder: '4.20',
            path: 'tariff.price_per_mb',
          })}
          {text('currency', { description: 'Its three letters', placeholder: 'EUR', path: 'tariff.currency' })}
          {text('included', {
            description: 'In each cycle, at no price',
            placeholder: '1 MB',
            path: 'tariff.included',
          })}
        </SimpleGrid>
      </Fieldset>
    </>
  );
}

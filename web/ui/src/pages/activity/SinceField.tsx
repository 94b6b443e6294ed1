import { NativeSelect } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { usePhone } from '../../kit/usePhone';

/** SinceField chooses how far back to look. */
export function SinceField() {
  const { since } = useSearch({ from: '/inside/activity' });
  const navigate = useNavigate({ from: '/activity' });
  const phone = usePhone();
  return (
    <NativeSelect
      aria-label="Since"
      size={phone ? 'md' : 'sm'}
      flex={{ base: 1, sm: 'initial' }}
      data={[
        { value: '', label: 'of any time' },
        { value: '1h', label: 'of the last hour' },
        { value: '24h', label: 'of the last 24 hours' },
        { value: '7d', label: 'of the last 7 days' },
        { value: '30d', label: 'of the last 30 days' },
      ]}
      value={since ?? ''}
      onChange={(e) => {
        const v = e.currentTarget.value;
        const next = (['1h', '24h', '7d', '30d'] as const).find((x) => x === v);
        navigate({ search: (s) => ({ ...s, since: next }), replace: true });
      }}
    />
  );
}

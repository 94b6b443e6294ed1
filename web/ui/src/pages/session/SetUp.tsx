import { Text } from '@mantine/core';
import { useNavigate, useRouteContext } from '@tanstack/react-router';
import { FactorSetup } from '../account/FactorSetup';
import { Frame } from './Frame';

/** SetUp is all that somebody sees who needs a second factor and has none. */
export function SetUp() {
  const { cache } = useRouteContext({ from: '__root__' });
  const navigate = useNavigate();
  const done = async () => {
    cache.clear();
    await navigate({ to: '/fleet', replace: true });
  };
  return (
    <Frame title="Second factor">
      <Text size="sm">This hub lets your account in only with a second factor besides the password.</Text>
      <FactorSetup done={done} />
    </Frame>
  );
}

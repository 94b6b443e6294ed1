import { Alert, Text } from '@mantine/core';
import { useNavigate, useRouteContext, useRouter, useSearch } from '@tanstack/react-router';
import { prefix } from '../../api/client';
import { Frame } from './Frame';
import { inside } from './inside';
import { SignInForm } from './SignInForm';

/** SignIn asks for name and password, and goes to where one wanted to go. */
export function SignIn() {
  const { to } = useSearch({ from: '/sign-in' });
  const { cache, lost } = useRouteContext({ from: '__root__' });
  const router = useRouter();
  const navigate = useNavigate();
  const done = async () => {
    cache.clear(); // whoever was here before may have been somebody else
    lost.set(false);
    const back = inside(to);
    if (back) router.history.push(prefix + back);
    else await navigate({ to: '/' });
  };
  return (
    <Frame title="Sign in">
      {inside(to) && !/\/(fleet)?$/.test(to ?? '') && (
        <Alert variant="light" p="xs">
          Sign in first; you then go on to the page that was asked for.
        </Alert>
      )}
      <SignInForm done={done} />
      <Text size="xs" c="dimmed">
        No account yet, or the password is lost? On the hub’s machine, <code>farshore-hub admin-link</code> prints a
        link that makes an administrator.
      </Text>
    </Frame>
  );
}

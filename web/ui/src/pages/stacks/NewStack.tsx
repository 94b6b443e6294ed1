import { Page } from '../../kit/Page';

export function NewStack() {
  return <Page title="NewStack">Not here yet.</Page>;
}

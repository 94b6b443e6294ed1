import { Page } from '../../kit/Page';

export function EditStack() {
  return <Page title="EditStack">Not here yet.</Page>;
}

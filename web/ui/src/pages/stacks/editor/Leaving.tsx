import { Leaving as Ask } from '../../../kit/Leaving';
import type { DraftStore } from './useDraft';

/** Leaving asks before a page with a draft is left. */
export function Leaving({ store }: { store: DraftStore }) {
  return (
    <Ask dirty={() => (store.get()?.rev ?? 0) > 0} title="Leave what is not deployed?" drop={store.drop}>
      Your changes are kept in this tab until it is closed or loaded anew: the editor has them when you come back.
    </Ask>
  );
}

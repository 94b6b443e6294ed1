import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { newDraft } from './editor/draft';
import { Leaving } from './editor/Leaving';
import { useDraft } from './editor/useDraft';
import { Workbench } from './editor/Workbench';

/** NewStack makes a stack. */
export function NewStack() {
  const place = useSearch({ from: '/inside/new-stack' });
  const navigate = useNavigate({ from: '/new-stack' });
  const store = useDraft('');
  const { draft, begin } = store;
  useEffect(() => {
    if (!draft) begin(newDraft());
  }, [draft, begin]);
  if (!draft) return null;
  return (
    <>
      <Leaving store={store} />
      <Workbench
        key={draft.id}
        title="New stack"
        about="A Compose file, with other files where it needs them, for all devices that fit a selector."
        store={store}
        draft={draft}
        stack={undefined}
        place={place}
        go={(search) => void navigate({ search })}
      />
    </>
  );
}

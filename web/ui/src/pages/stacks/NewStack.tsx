import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Page } from '../../kit/Page';
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
  return (
    <Page
      title={place.step === 'review' ? `Review ${draft?.name}` : 'New stack'}
      about="A stack is a Compose file, with other files where it needs them, for all devices that fit its selector."
    >
      <Leaving store={store} />
      {draft && (
        <Workbench
          store={store}
          draft={draft}
          stack={undefined}
          place={place}
          go={(search) => void navigate({ search })}
        />
      )}
    </Page>
  );
}

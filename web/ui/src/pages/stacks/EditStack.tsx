import { Alert, Button, Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { asProblem } from '../../api/problem';
import { stackQuery } from '../../api/queries';
import { Failure } from '../../kit/Failure';
import { Page } from '../../kit/Page';
import { baseOf, draftOf } from './editor/draft';
import { Leaving } from './editor/Leaving';
import { useDraft } from './editor/useDraft';
import { Workbench } from './editor/Workbench';
import { NoSuchStack } from './NoSuchStack';
import { bundleQuery, versionsQuery } from './queries';

/** EditStack changes a stack, beginning with its latest version or an older one. */
export function EditStack() {
  const { stack: name } = useParams({ from: '/inside/stacks/$stack/edit' });
  const { from, ...place } = useSearch({ from: '/inside/stacks/$stack/edit' });
  const navigate = useNavigate({ from: '/stacks/$stack/edit' });
  const store = useDraft(name);
  const { draft, begin, edit } = store;
  const { start, stack, error } = useStart(name, from);

  // What nobody has touched follows the hub; what somebody has typed is never replaced.
  const stale = draft?.rev === 0 && start && (draft.base?.etag !== start.base?.etag || draft.from !== start.from);
  useEffect(() => {
    if (start && (!draft || stale)) begin(start);
  }, [draft, stale, start, begin]);

  const gone = error && asProblem(error).status === 404;
  const other = draft && start && draft.rev > 0 && from !== undefined && draft.from !== start.from;
  const notices = (
    <>
      {gone && draft?.base && (
        <Alert color="yellow" title="The stack is gone" p="xs">
          <Text size="sm" mb="xs">
            Somebody removed it meanwhile. What you typed is here, and can be deployed as a new stack.
          </Text>
          <Button size="xs" onClick={() => edit(({ base: _, ...rest }) => rest)}>
            Go on as a new stack
          </Button>
        </Alert>
      )}
      {other && (
        <Alert color="blue" title="There is a draft that was not deployed" p="xs">
          <Text size="sm" mb="xs">
            It began with version {draft.from}, and was kept in this tab.
          </Text>
          <Button size="xs" variant="default" onClick={() => begin(start)}>
            Begin anew with version {start.from}
          </Button>
        </Alert>
      )}
    </>
  );
  if (gone && !draft) return <NoSuchStack name={name} />;
  if (!draft) return <Page title={`Edit ${name}`}>{error ? <Failure error={error} /> : <Skeleton h={480} />}</Page>;
  return (
    <>
      <Leaving store={store} />
      <Workbench
        key={draft.id}
        title={`Edit ${name}`}
        about={
          from !== undefined && draft.base && draft.from !== draft.base.version
            ? `Beginning with version ${draft.from}`
            : undefined
        }
        notices={notices}
        store={store}
        draft={draft}
        stack={stack}
        place={place}
        go={(next) => void navigate({ search: { ...next, ...(from === undefined ? {} : { from }) } })}
      />
    </>
  );
}

/** useStart reads what editing begins with. */
function useStart(name: string, from: string | undefined) {
  const number = Number(from);
  const stack = useQuery(stackQuery(name));
  const versions = useQuery({ ...versionsQuery(name), enabled: from !== undefined });
  const id = { name, id: stack.data?.id ?? 0 };
  const latest = useQuery({ ...bundleQuery(id, stack.data?.version ?? 0), enabled: stack.data !== undefined });
  const version = versions.data?.items.find((v) => v.number === number);
  const older = useQuery({ ...bundleQuery(id, number), enabled: stack.data !== undefined && version !== undefined });
  const error =
    stack.error ??
    latest.error ??
    older.error ??
    (from !== undefined && versions.data && !version
      ? new Error(`Version ${from} is not kept any more: choose another on the stack’s page.`)
      : undefined);
  const base = stack.data && latest.data && baseOf(stack.data, latest.data.files);
  if (!base || error) return { stack: stack.data, error };
  if (from === undefined) return { stack: stack.data, start: draftOf(name, base), error };
  if (!version || !older.data) return { stack: stack.data, error };
  const { files } = older.data;
  const begin = draftOf(name, base, {
    number,
    files,
    variables: version.env ?? [],
    secret: version.secret ?? [],
    pull: version.pull,
    health: version.health,
  });
  return { stack: stack.data, start: begin, error };
}

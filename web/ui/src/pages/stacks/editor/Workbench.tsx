import { Alert, Button, Center, Group, Kbd, Skeleton, Stack, Text } from '@mantine/core';
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import type { Schemas } from '../../../api/client';
import { bytes } from '../../../kit/bytes';
import { Page } from '../../../kit/Page';
import { usePhone } from '../../../kit/usePhone';
import { Changed } from './Changed';
import type { EditorHandle, Kept } from './CodeEditor';
import { type Base, type Draft, obstacles } from './draft';
import { FileList } from './FileList';
import { Findings } from './Findings';
import { mainFile, maskedFiles, sizeOf, sorted } from './files';
import { Masked } from './Masked';
import { lineRange } from './mark';
import { Review } from './Review';
import { SidePanel } from './SidePanel';
import { useDeploy } from './useDeploy';
import type { DraftStore } from './useDraft';
import { useMarks } from './useMarks';
import { usePreview } from './usePreview';

const CodeEditor = lazy(() => import('./CodeEditor').then((m) => ({ default: m.CodeEditor })));

// The hub is asked by itself after a pause, while what has to be sent is small.
const pause = 1_500;
const smallEnough = 256 << 10;

/** What of the editor is in the address. */
export interface EditorPlace {
  file?: string | undefined;
  step?: 'review' | undefined;
}

interface Props {
  title: string;
  about?: ReactNode;
  /** What is to be said before all else. */
  notices?: ReactNode;
  store: DraftStore;
  draft: Draft;
  /** The stack as it is on the hub now; undefined for a new one. */
  stack: Schemas['Stack'] | undefined;
  place: EditorPlace;
  /** go changes what is in the address. */
  go: (place: EditorPlace) => void;
}

/** Workbench edits a draft, checks it, reviews it and deploys it. */
export function Workbench({ title, about, notices, store, draft, stack, place, go }: Props) {
  const phone = usePhone();
  useEffect(() => {
    // The review's own part, while the hub is there: a link may be lost before it is asked for.
    import('./Diff').catch(() => undefined);
  }, []);
  const editor = useRef<EditorHandle>(undefined);
  const kept = useRef(new Map<string, Kept>());
  const [asked, setAsked] = useState<{ rev: number; id: string }>();
  const jump = useRef<{ path: string; offset: number }>(undefined);
  const reviewing = place.step === 'review';
  const marks = useMarks(draft.files);
  const wrong = obstacles(draft);
  const [settled] = useDebouncedValue(draft, pause);

  const path =
    place.file !== undefined && draft.files.has(place.file)
      ? place.file
      : (mainFile(draft.files) ?? sorted(draft.files)[0]);
  const hidden = maskedFiles(draft.files).length > 0;
  const file = path === undefined ? undefined : draft.files.get(path);
  const failing = [...marks.values()].some((m) => m.marks.some((k) => k.severity === 'error'));
  const small = [...draft.files.values()].reduce((n, f) => n + sizeOf(f), 0) < smallEnough;
  const wants = reviewing || (asked?.rev === draft.rev && asked.id === draft.id);
  const byItself = settled === draft && draft.rev > 0 && small && !failing;
  const preview = usePreview(draft, wrong.length === 0 && (wants || byItself));
  const deploy = useDeploy(store);
  const taken = !draft.base && preview.data?.exists === true;

  const show = (to: string, at: { offset: number } | { line: number }) => {
    const text = draft.files.get(to)?.content;
    if (typeof text !== 'string') return;
    const offset = 'offset' in at ? at.offset : lineRange(text, at.line).from;
    if (to === path && editor.current) return editor.current.goTo(offset);
    jump.current = { path: to, offset };
    go({ file: to });
  };
  const open = (to: string) => {
    editor.current?.flush();
    go({ file: to });
  };
  const check = () => {
    editor.current?.flush();
    const now = store.get();
    if (!now) return;
    setAsked({ rev: now.rev, id: now.id });
    // On a phone the buttons are far below what is found.
    if (phone) document.getElementById('fs-findings')?.scrollIntoView({ block: 'center' });
    if (preview.error && now === draft) void preview.refetch();
  };
  const review = () => {
    check();
    const now = store.get();
    if (now && obstacles(now).length === 0) go({ file: path, step: 'review' });
  };
  useHotkeys(
    [
      ['mod+S', check],
      ['mod+Enter', () => (reviewing ? undefined : review())],
    ],
    [],
    true,
  );
  // The editor of a file that was jumped to is there a little later.
  useEffect(() => {
    if (jump.current?.path !== path) return;
    const timer = setInterval(() => {
      if (!editor.current || !jump.current) return;
      editor.current.goTo(jump.current.offset);
      jump.current = undefined;
      clearInterval(timer);
    }, 30);
    return () => clearInterval(timer);
  }, [path]);

  const base = draft.base;
  const outdated = base && stack && stack.etag !== base.etag;
  const changed = outdated && <Changed draft={draft as Draft & { base: Base }} store={store} stack={stack} />;
  const actions = <Actions check={check} review={review} />;
  if (reviewing && wrong.length === 0 && !taken) {
    return (
      <Page title={`Review ${draft.name}`} about={about}>
        {notices}
        {changed}
        <Review
          draft={draft}
          preview={preview}
          deploy={{
            run: (how) => deploy.mutate({ draft, how }),
            busy: deploy.isPending,
            error: outdated ? undefined : deploy.error,
          }}
          back={() => go({ file: path })}
          outdated={Boolean(outdated)}
        />
      </Page>
    );
  }
  return (
    <Page title={title} about={about} actions={phone ? undefined : actions}>
      {notices}
      {hidden && <Masked />}
      {changed}
      <div className="fs-workbench">
        <FileList store={store} files={draft.files} open={path ?? ''} marks={marks} show={open} />
        <Stack gap={6} miw={0}>
          {file && path !== undefined && typeof file.content === 'string' ? (
            <Suspense fallback={<Skeleton h={phone ? '45dvh' : 'calc(100dvh - 300px)'} />}>
              <CodeEditor
                key={`${draft.id} ${path}`}
                path={path}
                text={file.content}
                marks={marks.get(path)}
                height={phone ? '45dvh' : 'max(320px, calc(100dvh - 300px))'}
                handle={editor}
                kept={kept.current}
                change={(content) =>
                  store.edit((d) => {
                    const was = d.files.get(path);
                    if (!was || was.content === content) return d;
                    return { ...d, files: new Map(d.files).set(path, { ...was, content }) };
                  })
                }
              />
            </Suspense>
          ) : (
            <Center h={phone ? '30dvh' : 320} className="fs-editor">
              <Text size="sm" c="dimmed" p="md">
                {file
                  ? `Not text: ${bytes(sizeOf(file))}. It goes to the devices as it is.`
                  : 'No files yet: add compose.yml.'}
              </Text>
            </Center>
          )}
          <Group justify="space-between" gap="xs">
            <Text size="xs" c="dimmed" id="fs-editor-keys" visibleFrom="sm">
              <Kbd size="xs">Tab</Kbd> indents, <Kbd size="xs">Esc</Kbd> <Kbd size="xs">Tab</Kbd> leaves the editor
            </Text>
            {file?.crlf && path !== undefined && (
              <Group gap={6}>
                <Text size="xs" c="dimmed">
                  Windows line ends (CRLF) are kept.
                </Text>
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() =>
                    store.edit((d) => ({ ...d, files: new Map(d.files).set(path, { content: file.content }) }))
                  }
                >
                  Make them Unix’s
                </Button>
              </Group>
            )}
          </Group>
          <Findings files={draft.files} marks={marks} obstacles={asked ? wrong : []} preview={preview} show={show} />
        </Stack>
        <SidePanel
          draft={draft}
          store={store}
          asked={asked !== undefined}
          total={preview.data?.devices.total}
          nameTaken={taken ? 'There is a stack of this name: choose another, or edit that one.' : undefined}
        />
      </div>
      {phone && actions}
      {deploy.error && !outdated && (
        <Alert color="yellow" p="xs">
          <Text size="sm">The last try to deploy failed: {deploy.error.message}</Text>
        </Alert>
      )}
    </Page>
  );
}

function Actions({ check, review }: { check: () => void; review: () => void }) {
  const size = usePhone() ? 'md' : 'sm';
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" size={size} onClick={check} title="Ctrl+S or ⌘S">
        Check
      </Button>
      <Button size={size} onClick={review} title="Ctrl+Enter or ⌘Enter">
        Review and deploy
      </Button>
    </Group>
  );
}

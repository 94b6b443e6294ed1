import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconUsers } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../../api/client';
import { Failure } from '../../../kit/Failure';
import { Since } from '../../../kit/Since';
import { undoable } from '../../../kit/undoable';
import { bundleQuery } from '../queries';
import { type Base, baseOf, type Draft, draftOf, type Settings, sameSettings } from './draft';
import { FileDiffs } from './FileDiffs';
import { compare, onTop } from './onTop';
import { ownerWords } from './owner';
import { rulesWords } from './rules';
import type { DraftStore } from './useDraft';

interface Props {
  draft: Draft & { base: Base };
  store: DraftStore;
  /** The stack as it is on the hub now. */
  stack: Schemas['Stack'];
}

const words = {
  mine: 'only you changed it',
  theirs: 'only they changed it',
  both: 'both of you changed it',
};

/** Changed tells that somebody else changed the stack meanwhile, shows theirs beside mine, and how to go on. */
export function Changed({ draft, store, stack }: Props) {
  const [shown, setShown] = useState(false);
  const bundle = useQuery(bundleQuery(stack, stack.version));
  const theirs = bundle.data && baseOf(stack, bundle.data.files);
  const differs = theirs ? compare(draft.base.files, draft.files, theirs.files) : [];
  const both = differs.filter((d) => d.who === 'both').length;

  const take = (next: Draft, message: string) => {
    const before = draft;
    store.edit(() => next);
    undoable(message, () => store.edit(() => before));
  };

  return (
    <Alert
      color="yellow"
      icon={<IconUsers aria-hidden />}
      title="Somebody else changed this stack meanwhile"
      role="alert"
    >
      <Stack gap="xs">
        <Text size="sm" className="fs-text">
          {stack.removed
            ? `${stack.removed_by ?? 'Somebody'} is removing it. Deploying takes it back.`
            : stack.version === draft.base.version
              ? 'Its devices or settings are others now; its files are the same.'
              : `Version ${stack.version} is by ${stack.current.author ?? 'somebody'}`}
          {!stack.removed && stack.version !== draft.base.version && (
            <>
              {' '}
              (<Since at={stack.current.created} />){stack.current.message && `: “${stack.current.message}”`}.
            </>
          )}{' '}
          You began with version {draft.base.version}. What you typed is all here.
        </Text>
        <Failure error={bundle.error} retry={() => bundle.refetch()} />
        {theirs && !sameSettings(theirs.settings, draft.settings) && (
          <Text size="sm" className="fs-text">
            Theirs: {settingsText(theirs.settings)} Yours: {settingsText(draft.settings)}
          </Text>
        )}
        {theirs && shown && (
          <FileDiffs
            before={theirs.files}
            after={draft.files}
            names={[`Theirs, version ${theirs.version}`, 'Yours, not deployed']}
            note={(path) => {
              const who = differs.find((d) => d.path === path)?.who;
              return who && words[who];
            }}
          />
        )}
        {theirs && both > 0 && (
          <Text size="sm">
            {both === 1 ? 'One file was' : `${both} files were`} changed by both of you: with yours on top, your text
            stays there and theirs is not in it. Compare first.
          </Text>
        )}
        <Group gap="xs">
          {!shown && (
            <Button size="xs" onClick={() => setShown(true)} disabled={!theirs}>
              Compare
            </Button>
          )}
          <Button
            size="xs"
            variant={shown ? 'filled' : 'default'}
            disabled={!theirs}
            onClick={() =>
              theirs && take(onTop(draft, theirs), 'Yours is on top of theirs now. Review it before deploying.')
            }
          >
            Go on with mine on top of theirs
          </Button>
          <Button
            size="xs"
            variant="default"
            disabled={!theirs}
            onClick={() => theirs && take({ ...draftOf(draft.name, theirs), id: draft.id }, 'This is theirs now.')}
          >
            Take theirs
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

const pulls = {
  missing: 'images where they lack',
  always: 'images asked for each time',
  never: 'images never asked for',
};

function settingsText(s: Settings): string {
  const target = `${s.everywhere ? 'all devices' : s.selector} in /${s.group}, ${ownerWords(s)}`;
  return `${target}, ${pulls[s.pull]}, volumes ${s.removeVolumes ? 'go' : 'stay'} on removal. ${rulesWords(s)}`;
}

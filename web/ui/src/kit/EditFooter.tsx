import { Button, Group } from '@mantine/core';
import { Conflict } from './Conflict';
import { Failure } from './Failure';
import type { Edit } from './useEdit';

interface Props {
  edit: Edit;
  /** Something typed cannot be saved as it is. */
  wrong?: boolean;
  close: () => void;
}

/** EditFooter ends a form: what kept it from being saved, and the buttons to give it up and to save it. */
export function EditFooter({ edit, wrong = false, close }: Props) {
  return (
    <>
      {edit.conflict && <Conflict {...edit.conflict} />}
      <Failure error={edit.error} />
      <Group justify="flex-end" gap="xs">
        <Button
          variant="default"
          onClick={() => {
            edit.reset();
            close();
          }}
        >
          Cancel
        </Button>
        <Button type="submit" loading={edit.busy} disabled={wrong || !!edit.conflict}>
          Save
        </Button>
      </Group>
    </>
  );
}

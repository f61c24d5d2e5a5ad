import type { LoadPlan } from '../../domain/load.ts';
import type { Change, Checkpoint } from './checkpoint.ts';
import type { LoadRow } from './record.ts';
import type { Session } from './session.ts';
import { createStaging, dropStaging, stagingOf, withStagingLock, type Staging } from './staging.ts';
import { lockTimeout } from './tables.ts';

/** A load that is being opened, its epoch shown. */
export interface Opening {
  readonly session: Session;
  readonly schema: string;
  readonly plan: LoadPlan;
  readonly checkpoint: Checkpoint;
}

/**
 * Anew: nothing of an earlier load that did not finish is kept.
 * @param lostInStep the step that found the hidden table of this very load gone or changed
 */
export async function beginLoad(
  opening: Opening,
  row: LoadRow,
  lostInStep: number | null = null,
): Promise<LoadRow> {
  const { session, schema, plan, checkpoint } = opening;
  const old = stagingOf(row);
  return withStagingLock(session, old, () =>
    session.transaction(
      async () => {
        const staging =
          plan.mode === 'replace' ? await createStaging(session, schema, plan) : undefined;
        if (old !== undefined) await dropStaging(session, schema, old);
        return checkpoint.change(beginning(plan, staging, lostInStep));
      },
      { settings: [lockTimeout] },
    ),
  );
}

function beginning(
  plan: LoadPlan,
  staging: Staging | undefined,
  lostInStep: number | null,
): Change {
  return {
    assignments: [
      `load_state = 'running', load_transfer_id = $5, load_revision_id = $6`,
      'load_mode = $7, load_copy_of = $8',
      'load_window_after = $9::timestamptz, load_window_up_to = $10::timestamptz',
      'load_fence = $11::timestamptz, load_greatest = null, load_cursor = null, load_cursor_key = null',
      'load_begun_at = clock_timestamp(), load_pass = 0, load_attempts = 1, load_rows = 0',
      'staged_rows = 0, staged_attempt = 1, staged_again_in_step = $15::integer',
      'staged_name = $12, staged_oid = $13::bigint, staged_filenode = $14::bigint',
      'published_rows = null, published_up_to = null',
    ],
    values: [
      plan.transferId,
      plan.revisionId,
      plan.mode,
      plan.loadIdentity,
      plan.window.after,
      plan.window.upTo,
      plan.fence,
      staging?.name,
      staging?.oid,
      staging?.filenode,
      lostInStep,
    ],
  };
}
